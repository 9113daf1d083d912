import type { Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'no-network';
const FIX =
  'Switch it off in code before the framework is imported: telemetry, update checks, downloads of weights or fonts (HF_HUB_OFFLINE, YOLO_OFFLINE, …).';

/** A training in a network where every attempt shows makes none: no name is asked for, nothing is connected to. */
export function checkNetwork(trials: Trials): CheckResult {
  const trial = trials.get('train');
  if (trial === null || trial.observed === null) return { notRun: trials.cutShort ?? 'no training ran' };
  const { attempts, unavailable } = trial.observed;
  if (unavailable !== null) return { notRun: `the network could not be watched: ${unavailable}` };
  return attempts
    .slice(0, 5)
    .map((attempt) => findingOf(ID, `The training tried to reach ${attempt}.`, FIX, { evidence: attempts.join('\n') }));
}
