import type { ExportTrial } from '../../export/export-trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'export-input-size';

/** The picture size of the training is the one of the exported input. */
export function checkInputSize(tried: ExportTrial): CheckResult {
  const { side, metadata, claim, precision, task } = tried;
  const [input] = metadata?.inputs ?? [];
  if (side === null || input === undefined)
    return { notRun: tried.impossible ?? 'the training had no size of its own' };
  const sides = input.shape.filter((length): length is number => typeof length === 'number' && length > 4);
  if (sides.length === 0 || sides.some((length) => length === side)) return [];
  const message = `${task}, ${claim.format} ${precision}: trained with "image_size" ${side}, but the exported input is ${input.shape.join(' × ')}.`;
  const fix = 'Export with the size of the training.';
  return [
    findingOf(ID, message, fix, {
      where: { file: 'export/metadata.json', pointer: '/inputs/0/shape' },
      evidence: input.shape.join(', '),
    }),
  ];
}
