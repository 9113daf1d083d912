import { faultsOf } from '../../export/export-faults.ts';
import type { ExportTrial } from '../../export/export-trials.ts';
import type { CheckResult } from '../check.ts';

const ID = 'export-loads';
const FIX = 'Open the file with the runtime of its format before the bundle is written.';

/** Another runtime opens the exported model. */
export function checkLoads(tried: ExportTrial): CheckResult {
  if (tried.check === null) return { notRun: tried.impossible ?? 'nothing was exported' };
  return faultsOf(ID, tried, FIX);
}
