import type { ExportTrial } from '../../export/export-trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'export-accuracy';
const DROPS: Readonly<Record<string, number>> = { fp32: 0.005, fp16: 0.01 };
const INT8_DROP = 0.02;

/** The metric of the exported model, predicted by the checker and computed by us, is that of the checkpoint. */
export function checkAccuracy(tried: ExportTrial): CheckResult {
  const { accuracy, precision, claim, task } = tried;
  if ('reason' in accuracy) return { notRun: accuracy.reason };
  const own = claim.parity?.['maxMetricDrop'];
  const most = DROPS[precision] ?? (typeof own === 'number' ? own : INT8_DROP);
  const drop = accuracy.checkpoint - accuracy.exported;
  if (drop <= most) return [];
  const message = `${task}, ${claim.format} ${precision}: ${accuracy.name} is ${accuracy.exported.toFixed(4)} with the exported model and ${accuracy.checkpoint.toFixed(4)} with the checkpoint; a drop of ${most} is allowed.`;
  const fix = 'Write the preprocess and postprocess steps into metadata.json as evaluate carries them out.';
  return [
    findingOf(ID, message, fix, {
      where: { file: 'export/metadata.json' },
      evidence: `${accuracy.exported} and ${accuracy.checkpoint}`,
    }),
  ];
}
