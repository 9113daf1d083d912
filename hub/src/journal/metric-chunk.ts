/**
 * Pure: immutable chunks of one series with their own min/max levels (performance.md §6.1). A chunk holds up to 4,096 = 8⁴ points; its levels have
 * buckets of 8, 64 and 512 points, and its own min and max are the level above. Numbers are float64, little endian.
 */
export const CHUNK_POINTS = 4096;

export interface Points {
  readonly steps: readonly number[];
  /** Not finite = null. */
  readonly values: readonly (number | null)[];
}
/** Step of the first point of the bucket, last value, min, max; null where no value of the bucket was finite. */
export type Bucket = readonly [step: number, last: number | null, min: number | null, max: number | null];

export interface EncodedChunk {
  readonly points: number;
  readonly step0: number;
  readonly step1: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly body: Buffer;
  readonly l8: Buffer;
  readonly l64: Buffer;
  readonly l512: Buffer;
}

export function toBuckets(points: Points, width: number): Bucket[] {
  const buckets: Bucket[] = [];
  for (let start = 0; start < points.steps.length; start += width) {
    let last: number | null = null;
    let min: number | null = null;
    let max: number | null = null;
    for (let i = start; i < Math.min(start + width, points.steps.length); i++) {
      const value = points.values[i] ?? null;
      if (value === null) continue;
      last = value;
      min = min === null || value < min ? value : min;
      max = max === null || value > max ? value : max;
    }
    buckets.push([points.steps[start] ?? 0, last, min, max]);
  }
  return buckets;
}

function encodeNumbers(rows: readonly (readonly (number | null)[])[], width: number): Buffer {
  const numbers = new Float64Array(rows.length * width);
  rows.forEach((row, r) => row.forEach((value, c) => (numbers[r * width + c] = value ?? Number.NaN)));
  return Buffer.from(numbers.buffer);
}
function decodeNumbers(bytes: Uint8Array, width: number): (number | null)[][] {
  const numbers = new Float64Array(new Uint8Array(bytes).buffer);
  const rows: (number | null)[][] = [];
  for (let i = 0; i + width <= numbers.length; i += width) {
    rows.push(Array.from(numbers.subarray(i, i + width), (value) => (Number.isNaN(value) ? null : value)));
  }
  return rows;
}

export function encodeChunk(points: Points): EncodedChunk {
  const whole = toBuckets(points, Math.max(points.steps.length, 1))[0];
  return {
    points: points.steps.length,
    step0: points.steps[0] ?? 0,
    step1: points.steps.at(-1) ?? 0,
    min: whole?.[2] ?? null,
    max: whole?.[3] ?? null,
    body: encodeNumbers(
      points.steps.map((step, i) => [step, points.values[i] ?? null]),
      2,
    ),
    l8: encodeNumbers(toBuckets(points, 8), 4),
    l64: encodeNumbers(toBuckets(points, 64), 4),
    l512: encodeNumbers(toBuckets(points, 512), 4),
  };
}
export function decodePoints(body: Uint8Array): Points {
  const rows = decodeNumbers(body, 2);
  return { steps: rows.map((row) => row[0] ?? 0), values: rows.map((row) => row[1] ?? null) };
}
export function decodeBuckets(level: Uint8Array): Bucket[] {
  return decodeNumbers(level, 4).map((row) => [row[0] ?? 0, row[1] ?? null, row[2] ?? null, row[3] ?? null]);
}

/** Widest level that still gives at least `width` buckets over `points`: 4096, 512, 64, 8 or 1 points per bucket. */
export function levelFor(points: number, width: number): 1 | 8 | 64 | 512 | 4096 {
  for (const level of [4096, 512, 64, 8] as const) if (points / level >= width) return level;
  return 1;
}

/** Joins neighbouring buckets until at most `width` are left; min and max are kept exactly. */
export function reduceBuckets(buckets: readonly Bucket[], width: number): Bucket[] {
  if (buckets.length <= width) return [...buckets];
  const group = Math.ceil(buckets.length / width);
  const reduced: Bucket[] = [];
  for (let start = 0; start < buckets.length; start += group) {
    const part = buckets.slice(start, start + group);
    const lows = part.flatMap((bucket) => (bucket[2] === null ? [] : [bucket[2]]));
    const highs = part.flatMap((bucket) => (bucket[3] === null ? [] : [bucket[3]]));
    reduced.push([
      part[0]?.[0] ?? 0,
      part.findLast((bucket) => bucket[1] !== null)?.[1] ?? null,
      lows.length === 0 ? null : Math.min(...lows),
      highs.length === 0 ? null : Math.max(...highs),
    ]);
  }
  return reduced;
}
