import assert from 'node:assert/strict';
import type { Instance, Rle } from '../runtime/ts/predict.js';
import type { Answer } from './wrappers.ts';

/** Two wrappers gave the same: numbers within 1e-3 pixels and 1e-5 scores; of a mask one pixel in five hundred may lie on the other side. */

const PIXELS = 1e-3;
const SCORES = 1e-5;
const STRAY = 1 / 500;

export function assertSame(got: Answer, wanted: Answer, what: string): void {
  assert.deepEqual([...got.dims], [...wanted.dims], `${what}: shape of the input`);
  const { most } = difference(got.tensor, wanted.tensor);
  assert.ok(most <= 1e-4, `${what}: the input tensor differs by ${most}`);
  const [a, b] = [got.line, wanted.line];
  assert.deepEqual([a.width, a.height], [b.width, b.height], what);
  assert.deepEqual(
    a.classes?.map((entry) => entry.class),
    b.classes?.map((entry) => entry.class),
    `${what}: classes`,
  );
  a.classes?.forEach((entry, i) => near(entry.score, b.classes?.[i]?.score, SCORES, `${what}: score`));
  assert.equal(a.instances?.length, b.instances?.length, `${what}: instances`);
  a.instances?.forEach((item, i) => assertInstance(item, b.instances?.[i], `${what}: instance ${i}`));
  assert.equal(a.mask?.length, b.mask?.length, `${what}: mask`);
  if (a.mask !== undefined && b.mask !== undefined) {
    const { mask } = b;
    const strays = a.mask.filter((value, i) => value !== mask[i]).length;
    assert.ok(strays <= mask.length * STRAY, `${what}: ${strays} of ${mask.length} pixels differ`);
  }
}

function assertInstance(got: Instance, wanted: Instance | undefined, what: string): void {
  assert.ok(wanted !== undefined, what);
  assert.equal(got.class, wanted.class, `${what}: class`);
  near(got.score, wanted.score, SCORES, `${what}: score`);
  for (const part of ['box', 'obb', 'keypoints'] as const) {
    const a: readonly number[] | undefined = got[part]?.flat();
    const b: readonly number[] | undefined = wanted[part]?.flat();
    assert.equal(a?.length, b?.length, `${what}: ${part}`);
    a?.forEach((value, i) => near(value, b?.[i], PIXELS, `${what}: ${part}`));
  }
  assert.equal(got.mask === undefined, wanted.mask === undefined, `${what}: mask`);
  if (got.mask === undefined || wanted.mask === undefined) return;
  assert.deepEqual(got.mask.rle.size, wanted.mask.rle.size);
  const [a, b] = [pixelsOf(got.mask.rle), pixelsOf(wanted.mask.rle)];
  const strays = a.filter((value, i) => value !== b[i]).length;
  assert.ok(
    strays <= Math.max(1, b.filter((value) => value === 1).length / 50),
    `${what}: ${strays} mask pixels differ`,
  );
}

/** In the order of the runs. */
function pixelsOf(rle: Rle): number[] {
  return rle.counts.flatMap((run, i) => Array.from({ length: run }, () => i % 2));
}

function near(got: number, wanted: number | undefined, allowed: number, what: string): void {
  assert.ok(wanted !== undefined && Math.abs(got - wanted) <= allowed, `${what}: ${got}, expected ${wanted}`);
}

export function difference(a: ArrayLike<number>, b: ArrayLike<number>): { mean: number; most: number } {
  assert.equal(a.length, b.length);
  let [sum, most] = [0, 0];
  for (let i = 0; i < a.length; i += 1) {
    const step = Math.abs((a[i] ?? NaN) - (b[i] ?? NaN));
    sum += step;
    most = step > most || Number.isNaN(step) ? step : most;
  }
  return { mean: sum / a.length, most };
}
