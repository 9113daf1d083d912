/** Checks of exported models, without and with opening them (contract.md §8.6, §8.7, §9.4). */
export { ensureCheckers, PREPARE_COMMAND, readyCheckers } from './checkers.ts';
export { checkExportFiles } from './export-files.ts';
export { checkWrappers } from './check-wrappers.ts';
export { findLeaks } from './find-leaks.ts';
export { findPickles } from './find-pickles.ts';
export { predictWithExport, verifyExport, whyNotRunnable } from './verify-export.ts';
export type {
  Checkers,
  ClaimState,
  ExportCheck,
  ExportCheckId,
  ExportFault,
  PredictedExport,
  PredictExportRequest,
  ReferencePredictions,
  VerifiedOutput,
  VerifyExportRequest,
} from './export-check.ts';
