import type { Trials } from '../../trial/trials.ts';
import type { CheckResult } from '../check.ts';

/** Images have to work as any user. A release without one runs as the user of the runner, or behind its wall as 10001. */
export function checkAnyUser(trials: Trials): CheckResult {
  return trials.subject.manifest.image === undefined ? [] : { notRun: 'images are not run here' };
}
