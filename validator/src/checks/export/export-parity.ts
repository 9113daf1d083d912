import { faultsOf } from '../../export/export-faults.ts';
import type { ExportTrial } from '../../export/export-trials.ts';
import type { CheckResult } from '../check.ts';

const ID = 'export-parity';
const FIX = 'Compare the file, read back, with the checkpoint on 16 pictures; class order included.';

/** The exported model answers as the checkpoint does. */
export function checkParity(tried: ExportTrial): CheckResult {
  if (tried.check === null) return { notRun: tried.impossible ?? 'nothing was exported' };
  return faultsOf(ID, tried, FIX);
}
