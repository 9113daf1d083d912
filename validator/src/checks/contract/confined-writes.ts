import type { Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'confined-writes';
const MOST = 5;

/** Package and environment are as they were: trainers write to checkpoints/, output/ and their temporary folder only. */
export function checkWrites(trials: Trials): CheckResult {
  if (trials.all.length === 0) return { notRun: 'nothing ran' };
  const fix =
    'Write to checkpoints/, output/ or TMPDIR; set cache folders of libraries below TMPDIR before they are imported.';
  return trials.strayWrites
    .slice(0, MOST)
    .map((path) => findingOf(ID, `A run wrote to ${path}.`, fix, { evidence: trials.strayWrites.join('\n') }));
}
