/** Pure: an object's pixels as runs down the columns. Pictures are large and objects many, so no pixel is ever laid out. */
import { boundsOf } from '../dataset/geometry.ts';
import type { Box, Ring, Rle } from '../dataset/labelled-item.ts';
import { fillSpans } from '../dataset/raster.ts';

export interface RunMask {
  readonly height: number;
  /** from, to, from, to, …: half-open, rising, never touching; counted down the columns. */
  readonly runs: readonly number[];
  readonly area: number;
}

function maskOf(height: number, runs: readonly number[]): RunMask {
  let area = 0;
  for (let i = 0; i < runs.length; i += 2) area += (runs[i + 1] ?? 0) - (runs[i] ?? 0);
  return { height, runs, area };
}

/** Throws when the runs do not fill the size. */
export function maskOfRle({ size: [height, width], counts }: Rle): RunMask {
  const runs: number[] = [];
  let at = 0;
  counts.forEach((count, i) => {
    if (!Number.isInteger(count) || count < 0) throw new Error('A run is no whole number from 0 on.');
    if (i % 2 === 1 && count > 0) append(runs, at, at + count);
    at += count;
  });
  if (at !== width * height) throw new Error(`The runs cover ${at} of ${width * height} pixels.`);
  return maskOf(height, runs);
}

/** Even-odd, like raster.ts. */
export function maskOfRings(rings: readonly Ring[], size: { width: number; height: number }): RunMask {
  const turned = rings.map((ring) => ring.map(([x, y]) => [y, x] as const));
  const runs: number[] = [];
  fillSpans(turned, { width: size.height, height: size.width }, (x, from, to) =>
    append(runs, x * size.height + from, x * size.height + to),
  );
  return maskOf(size.height, runs);
}

function append(runs: number[], from: number, to: number): void {
  if (runs.length > 0 && runs.at(-1) === from) runs[runs.length - 1] = to;
  else runs.push(from, to);
}

export function sharedPixels({ runs: a }: RunMask, { runs: b }: RunMask): number {
  let [i, j, shared] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const [endA, endB] = [a[i + 1] ?? 0, b[j + 1] ?? 0];
    shared += Math.max(0, Math.min(endA, endB) - Math.max(a[i] ?? 0, b[j] ?? 0));
    if (endA < endB) i += 2;
    else j += 2;
  }
  return shared;
}

/** Over the area of `found` alone where the truth is a crowd. */
export function maskIou(found: RunMask, truth: RunMask, crowd = false): number {
  const shared = sharedPixels(found, truth);
  return shared === 0 ? 0 : shared / (crowd ? found.area : found.area + truth.area - shared);
}

export function unionOf(masks: readonly RunMask[]): RunMask {
  const pairs = masks.flatMap(({ runs }) =>
    Array.from({ length: runs.length / 2 }, (_, i) => [runs[2 * i] ?? 0, runs[2 * i + 1] ?? 0] as const),
  );
  pairs.sort((a, b) => a[0] - b[0]);
  const runs: number[] = [];
  for (const [from, to] of pairs) {
    const end = runs.at(-1);
    if (end === undefined || from > end) runs.push(from, to);
    else if (to > end) runs[runs.length - 1] = to;
  }
  return maskOf(masks[0]?.height ?? 0, runs);
}

/** The box around the pixels; of nothing, an empty box. */
export function boxOfMask({ runs, height, area }: RunMask): Box {
  if (area === 0) return [0, 0, 0, 0];
  const first = Math.floor((runs[0] ?? 0) / height);
  const last = Math.floor(((runs.at(-1) ?? 1) - 1) / height);
  let [top, bottom] = [height, 0];
  for (let i = 0; i < runs.length; i += 2) {
    const [from, end] = [runs[i] ?? 0, (runs[i + 1] ?? 0) - 1];
    // A run that goes on in the next column reaches the bottom and begins again at the top.
    const over = Math.floor(from / height) !== Math.floor(end / height);
    top = Math.min(top, over ? 0 : from % height);
    bottom = Math.max(bottom, over ? height : (end % height) + 1);
  }
  return [first, top, last + 1, bottom];
}

export function boxOfRings(rings: readonly Ring[]): Box {
  return boundsOf(rings.flat());
}
