/** How far an exported file may differ from the checkpoint (contract.md §8.6). Pure. */

export type ParityPrecision = 'fp32' | 'fp16' | 'int8';

type Row = readonly [fp32: number, fp16: number];
const LOGITS: Row = [1e-3, 5e-2];
const SCORES: Row = [1e-4, 5e-3];
const PIXELS: Row = [1e-2, 1];
const DENSE: Row = [1e-2, 1e-1];

const TOLERANCES: Readonly<Record<string, Row>> = {
  logits: LOGITS,
  probs: SCORES,
  'yolo-raw': PIXELS,
  'yolo-seg-raw': PIXELS,
  'yolo-pose-raw': PIXELS,
  'yolo-obb-raw': PIXELS,
  'yolo-end2end': PIXELS,
  detr: LOGITS,
  'detr-concat': SCORES,
  'semantic-logits': DENSE,
  'masks-queries': DENSE,
  prototypes: DENSE,
};

/** Largest allowed absolute difference; null where only agreement on the task counts (int8, unknown semantics). */
export function toleranceOf(semantics: string, precision: ParityPrecision): number | null {
  const row = TOLERANCES[semantics];
  if (row === undefined || precision === 'int8') return null;
  return precision === 'fp32' ? row[0] : row[1];
}

/** Least share of equal answers: first class, matched instances or pixels. */
export function leastAgreement(semantics: string, precision: ParityPrecision): number {
  if (precision !== 'fp32') return 0.98;
  return semantics === 'logits' || semantics === 'probs' ? 1 : 0.99;
}

export interface TensorParity {
  readonly maxAbs: number;
  readonly meanAbs: number;
  readonly passed: boolean;
}

/** A tensor of another length, or a value that is no number, never passes. */
export function compareTensors(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): TensorParity {
  if (actual.length !== expected.length) return { maxAbs: Infinity, meanAbs: Infinity, passed: false };
  let [maxAbs, sum] = [0, 0];
  for (let i = 0; i < expected.length; i += 1) {
    const difference = Math.abs((actual[i] ?? NaN) - (expected[i] ?? NaN));
    if (Number.isNaN(difference)) return { maxAbs: Infinity, meanAbs: Infinity, passed: false };
    if (difference > maxAbs) maxAbs = difference;
    sum += difference;
  }
  return { maxAbs, meanAbs: expected.length === 0 ? 0 : sum / expected.length, passed: maxAbs <= tolerance };
}

/** Index of the largest value; the first one on a tie. */
export function indexOfMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if ((values[i] ?? -Infinity) > (values[best] ?? -Infinity)) best = i;
  return best;
}
