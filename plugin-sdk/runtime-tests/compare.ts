import assert from 'node:assert/strict';
import type { Instance, Rle } from '../runtime/ts/predict.js';
import type { Answer } from './wrappers.ts';

/** How far two wrappers are apart at most. */
export interface Gap {
  /** Of the input tensor. */
  readonly tensor: number;
  /** Of boxes, corners and keypoints, in pixels of the picture. */
  readonly pixels: number;
  readonly scores: number;
  /** Share of a mask's pixels that lie on the other side. */
  readonly strays: number;
}

/** What the wrappers themselves may differ by, the model's own numbers being the same. */
export const TIGHT: Gap = { tensor: 1e-4, pixels: 1e-3, scores: 1e-5, strays: 1 / 500 };

export function assertSame(got: Answer, wanted: Answer, what: string, allowed: Gap = TIGHT): Gap {
  const gap = gapBetween(got, wanted, what);
  for (const part of ['tensor', 'pixels', 'scores', 'strays'] as const)
    assert.ok(gap[part] <= allowed[part], `${what}: ${part} differ by ${gap[part]}, ${allowed[part]} is allowed`);
  return gap;
}

/** Fails where the two found other things; instances are paired in order of score. */
function gapBetween(got: Answer, wanted: Answer, what: string): Gap {
  assert.deepEqual([...got.dims], [...wanted.dims], `${what}: shape of the input`);
  const [a, b] = [got.line, wanted.line];
  assert.deepEqual([a.width, a.height], [b.width, b.height], what);
  assert.deepEqual(
    a.classes?.map((entry) => entry.class),
    b.classes?.map((entry) => entry.class),
    `${what}: classes`,
  );
  assert.equal(a.instances?.length, b.instances?.length, `${what}: instances`);
  assert.equal(a.mask?.length, b.mask?.length, `${what}: mask`);
  const gaps = (a.instances ?? []).map((item, i) => instanceGap(item, b.instances?.[i], `${what}: instance ${i}`));
  const scores = (a.classes ?? []).map((entry, i) => Math.abs(entry.score - (b.classes?.[i]?.score ?? NaN)));
  return {
    tensor: difference(got.tensor, wanted.tensor).most,
    pixels: most(gaps.map(({ pixels }) => pixels)),
    scores: most([...scores, ...gaps.map((gap) => gap.scores)]),
    strays: most([strayShare(a.mask ?? [], b.mask ?? [], a.mask?.length ?? 1), ...gaps.map((gap) => gap.strays)]),
  };
}

function instanceGap(got: Instance, wanted: Instance | undefined, what: string): Omit<Gap, 'tensor'> {
  assert.ok(wanted !== undefined, what);
  assert.equal(got.class, wanted.class, `${what}: class`);
  const pixels = (['box', 'obb', 'keypoints'] as const).map((part) => {
    const a: readonly number[] = got[part]?.flat() ?? [];
    const b: readonly number[] = wanted[part]?.flat() ?? [];
    assert.equal(a.length, b.length, `${what}: ${part}`);
    return difference(a, b).most;
  });
  assert.equal(got.mask === undefined, wanted.mask === undefined, `${what}: mask`);
  assert.deepEqual(got.mask?.rle.size, wanted.mask?.rle.size);
  const scores = Math.abs(got.score - wanted.score);
  if (got.mask === undefined || wanted.mask === undefined) return { pixels: most(pixels), scores, strays: 0 };
  const [a, b] = [pixelsOf(got.mask.rle), pixelsOf(wanted.mask.rle)];
  // One pixel of a small mask, one in fifty of a large one: as strict as one in five hundred of a whole picture.
  const free = Math.max(1, b.filter((value) => value === 1).length / 50);
  return { pixels: most(pixels), scores, strays: strayShare(a, b, free * 500) };
}

function strayShare(a: readonly number[], b: readonly number[], of: number): number {
  assert.equal(a.length, b.length, 'size of the mask');
  return a.filter((value, i) => value !== b[i]).length / of;
}

/** NaN stays NaN, which no limit allows. */
function most(values: readonly number[]): number {
  return Math.max(0, ...values);
}

/** In the order of the runs. */
function pixelsOf(rle: Rle): number[] {
  return rle.counts.flatMap((run, i) => Array.from({ length: run }, () => i % 2));
}

export function difference(a: ArrayLike<number>, b: ArrayLike<number>): { mean: number; most: number } {
  assert.equal(a.length, b.length);
  let [sum, largest] = [0, 0];
  for (let i = 0; i < a.length; i += 1) {
    const step = Math.abs((a[i] ?? NaN) - (b[i] ?? NaN));
    sum += step;
    largest = step > largest || Number.isNaN(step) ? step : largest;
  }
  return { mean: sum / a.length, most: largest };
}
