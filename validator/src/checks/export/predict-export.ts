import type { ExportTrial } from '../../export/export-trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'predict-export';

/** The trainer's own predict answers the same with the exported model as with the checkpoint. */
export function checkPredictExport(tried: ExportTrial): CheckResult {
  const { predicted, claim, precision, task } = tried;
  if ('reason' in predicted) return { notRun: predicted.reason };
  if (predicted.difference === null) return [];
  const message = `${task}, ${claim.format} ${precision}: ${predicted.difference}.`;
  const fix = 'Accept job.modelArtifact for every claimed format, with the same threshold, preprocessing and classes.';
  return [findingOf(ID, message, fix, { evidence: predicted.evidence })];
}
