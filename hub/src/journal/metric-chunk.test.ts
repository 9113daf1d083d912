import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CHUNK_POINTS,
  decodeBuckets,
  decodePoints,
  encodeChunk,
  levelFor,
  reduceBuckets,
  toBuckets,
} from './metric-chunk.ts';
import { mergeLatest, toColumns } from './metric-points.ts';

const value = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: null });
const points = fc
  .array(value, { minLength: 1, maxLength: CHUNK_POINTS })
  .map((values) => ({ steps: values.map((_, i) => i * 3), values }));

test('points survive a chunk bit for bit', () => {
  fc.assert(
    fc.property(points, (given) => assert.deepEqual(decodePoints(encodeChunk(given).body), given)),
    { numRuns: 50 },
  );
});

test('min and max of any window are the same from any level and after thinning', () => {
  fc.assert(
    fc.property(points, fc.integer({ min: 1, max: 300 }), (given, width) => {
      const chunk = encodeChunk(given);
      const finite = given.values.filter((item) => item !== null);
      const low = finite.length === 0 ? null : Math.min(...finite);
      const high = finite.length === 0 ? null : Math.max(...finite);
      for (const level of [
        decodeBuckets(chunk.l8),
        decodeBuckets(chunk.l64),
        decodeBuckets(chunk.l512),
        toBuckets(given, 1),
      ]) {
        const thin = reduceBuckets(level, width);
        assert.ok(thin.length <= width);
        const lows = thin.flatMap((bucket) => (bucket[2] === null ? [] : [bucket[2]]));
        const highs = thin.flatMap((bucket) => (bucket[3] === null ? [] : [bucket[3]]));
        assert.equal(lows.length === 0 ? null : Math.min(...lows), low);
        assert.equal(highs.length === 0 ? null : Math.max(...highs), high);
      }
      assert.deepEqual([chunk.min, chunk.max], [low, high]);
    }),
    { numRuns: 50 },
  );
});

test('the widest level that still fills the width is read', () => {
  assert.equal(levelFor(500, 1000), 1);
  assert.equal(levelFor(8000, 1000), 8);
  assert.equal(levelFor(1_000_000, 1000), 512);
  assert.equal(levelFor(16_700_000, 1000), 4096);
});

test('values that are not finite are null in columns and never become the best one', () => {
  const columns = toColumns([
    { step: 1, split: 'train', values: { loss: 2 } },
    { step: 2, split: 'train', values: { loss: Number.NaN } },
    { step: 3, split: 'train', values: { loss: 1.5 } },
  ]);
  assert.deepEqual(columns, [{ n: 'loss', s: 'train', steps: [1, 2, 3], values: [2, null, 1.5] }]);
  assert.deepEqual(mergeLatest({}, columns), { 'train loss': [3, 1.5, 3, 1.5] });
});
