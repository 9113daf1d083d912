import type { ExportTrial } from '../../export/export-trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'export-recorded';

/** How long one picture takes and how large the file is, for whoever chooses a format. */
export function checkRecorded(tried: ExportTrial): CheckResult {
  const { check, claim, precision, task } = tried;
  if (check === null || check.state !== 'proven' || check.milliseconds !== null) return [];
  const message = `${task}, ${claim.format} ${precision}: no time was measured.`;
  return [findingOf(ID, message, 'Prepare the checkers on this machine.', { severity: 'recommendation' })];
}
