import type { Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'confined-writes';
const MOST = 20;

/** Package and environment are as they were: trainers write to checkpoints/, output/ and their temporary folder only. */
export function checkWrites(trials: Trials): CheckResult {
  if (trials.all.length === 0) return { notRun: 'nothing ran' };
  const fix =
    'Write to checkpoints/, output/ or TMPDIR; set cache folders of libraries below TMPDIR before they are imported.';
  const [first, ...more] = trials.strayWrites;
  if (first === undefined) return [];
  const others = more.length === 0 ? '' : ` and to ${more.length} other files`;
  return [
    findingOf(ID, `A run wrote to ${first}${others}.`, fix, { evidence: trials.strayWrites.slice(0, MOST).join('\n') }),
  ];
}
