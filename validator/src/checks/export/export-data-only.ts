import { faultsOf } from '../../export/export-faults.ts';
import type { ExportTrial } from '../../export/export-trials.ts';
import type { CheckResult } from '../check.ts';

const ID = 'export-data-only';
const FIX = 'Export weights as data; name external files in metadata.json.';

/** No exported file holds a pickle. */
export function checkDataOnly(tried: ExportTrial): CheckResult {
  if (tried.check === null) return { notRun: tried.impossible ?? 'nothing was exported' };
  return faultsOf(ID, tried, FIX);
}
