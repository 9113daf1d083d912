import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePng } from '../trainer/png.ts';
import { joinRings, ringArea, smallestBox } from './geometry.ts';
import { decodeMask, encodeMask, encodePng8 } from './index-png.ts';
import type { IndexMask, Point } from './labelled-item.ts';
import { componentsOf, fillSpans, outlinesOf } from './raster.ts';
import { decodeRle, encodeRle, packCounts, unpackCounts } from './rle.ts';

function masks(values: fc.Arbitrary<number>): fc.Arbitrary<IndexMask> {
  return fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
    .chain(([width, height]) =>
      fc
        .array(values, { minLength: width * height, maxLength: width * height })
        .map((data) => ({ width, height, data: Uint8Array.from(data) })),
    );
}
const RUNS = { numRuns: 60 };

test('masks survive PNG, and another decoder sees the same pixels', () => {
  fc.assert(
    fc.property(masks(fc.integer({ min: 0, max: 255 })), (mask) => {
      const png = encodeMask(mask);
      assert.deepEqual(decodeMask(png), mask);
      assert.deepEqual(Uint8Array.from(decodePng(png).pixels), mask.data);
    }),
    RUNS,
  );
  const colour = { width: 2, height: 1, channels: 3 as const, data: Uint8Array.of(1, 2, 3, 250, 1, 9) };
  assert.deepEqual(Uint8Array.from(decodePng(encodePng8(colour)).pixels), colour.data);
  assert.throws(() => decodeMask(encodePng8(colour)), /one channel/);
});

test('run lengths survive, as numbers and packed', () => {
  fc.assert(
    fc.property(masks(fc.integer({ min: 0, max: 1 })), (mask) => {
      const rle = encodeRle(mask);
      assert.deepEqual(decodeRle(rle), mask);
      assert.deepEqual(unpackCounts(packCounts(rle.counts)), rle.counts);
    }),
    RUNS,
  );
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 24 }), { maxLength: 9 }), (counts) => {
      assert.deepEqual(unpackCounts(packCounts(counts)), counts);
    }),
    RUNS,
  );
  // Worked out by hand: 6 → '6'; 1 → '1'; the fourth is written as the difference to the second.
  assert.equal(packCounts([6, 1, 40, 4]), '61X13');
  assert.throws(() => decodeRle({ size: [2, 2], counts: [3] }), /3 of 4/);
});

test('outlines filled again give the same pixels, joined into one ring too', () => {
  fc.assert(
    fc.property(masks(fc.integer({ min: 0, max: 1 })), (mask) => {
      const rings = outlinesOf(mask);
      for (const tried of [rings, rings.length === 0 ? [] : [joinRings(rings)]]) {
        const data = new Uint8Array(mask.data.length);
        fillSpans(tried, mask, (y, from, to) => void data.fill(1, y * mask.width + from, y * mask.width + to));
        assert.deepEqual(data, mask.data);
      }
    }),
    RUNS,
  );
});

test('components cover every pixel once', () => {
  fc.assert(
    fc.property(masks(fc.integer({ min: 0, max: 2 })), (mask) => {
      const parts = componentsOf(mask, (value) => value === 0);
      const data = new Uint8Array(mask.data.length);
      for (const { value, box, mask: part } of parts)
        part.data.forEach((inside, i) => {
          if (inside === 0) return;
          const at = (box[1] + Math.floor(i / part.width)) * mask.width + box[0] + (i % part.width);
          assert.equal(data[at], 0);
          data[at] = value;
        });
      assert.deepEqual(data, mask.data);
    }),
    RUNS,
  );
});

test('the smallest box holds all points and is no larger than the upright one', () => {
  const point = fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 50 }));
  fc.assert(
    fc.property(fc.array(point, { minLength: 3, maxLength: 12 }), (points: Point[]) => {
      const box = smallestBox(points);
      const xs = points.map(([x]) => x);
      const ys = points.map(([, y]) => y);
      const upright = (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
      assert.ok(Math.abs(ringArea(box)) <= upright + 1e-6);
      const [a, b, , d] = box;
      for (const [x, y] of points)
        for (const [from, to] of [
          [a, b],
          [a, d],
        ] as const) {
          const [ux, uy] = [to[0] - from[0], to[1] - from[1]];
          const along = (x - from[0]) * ux + (y - from[1]) * uy;
          assert.ok(along >= -1e-6 && along <= ux * ux + uy * uy + 1e-6);
        }
    }),
    RUNS,
  );
});
