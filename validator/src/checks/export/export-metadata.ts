import { faultsOf } from '../../export/export-faults.ts';
import type { ExportTrial } from '../../export/export-trials.ts';
import type { CheckResult } from '../check.ts';

const ID = 'export-metadata';
const FIX = 'Read names, types and shapes back from the file that was written.';

/** metadata.json says of the model what the model file says. */
export function checkMetadata(tried: ExportTrial): CheckResult {
  if (tried.check === null) return { notRun: tried.impossible ?? 'nothing was exported' };
  return faultsOf(ID, tried, FIX);
}
