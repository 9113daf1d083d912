import { faultsOf } from '../../export/export-faults.ts';
import type { ExportTrial } from '../../export/export-trials.ts';
import type { CheckResult } from '../check.ts';

const ID = 'export-selftest';
const FIX = 'Copy runtime/ from the SDK as it is, and write selftest/ with the checkpoint.';

/** The wrappers are the SDK's and reproduce the self-test. */
export function checkSelftest(tried: ExportTrial): CheckResult {
  if (tried.check === null) return { notRun: tried.impossible ?? 'nothing was exported' };
  return faultsOf(ID, tried, FIX);
}
