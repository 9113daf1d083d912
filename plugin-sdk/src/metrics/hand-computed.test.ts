import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Box } from '../dataset/labelled-item.ts';
import { AveragePrecision, type FoundEntry } from './average-precision.ts';
import { boxIou, gaussianLikeness, ringIou } from './box-overlap.ts';
import { Classification } from './classification.ts';
import { CorrectPoints } from './correct-points.ts';
import { keypointSimilarity } from './keypoint-similarity.ts';
import { ObjectMetrics } from './object-metrics.ts';
import { operatingPoint } from './operating-point.ts';
import { boxOfMask, maskIou, maskOfRings, maskOfRle, unionOf } from './run-mask.ts';
import { SemanticPixels } from './semantic.ts';

function close(actual: number | undefined, expected: number, within = 1e-9): void {
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);
}
function square(x: number, y: number, side: number): Box {
  return [x, y, x + side, y + side];
}

test('classification: four pictures by hand', () => {
  const scores = new Classification(['a', 'b', 'c']);
  const one = (index: number) => [{ class: index, score: 0.9 }];
  scores.add(0, one(0));
  scores.add(0, one(1));
  scores.add(1, one(1));
  // The list is out of order: 2 has the better score.
  scores.add(2, [
    { class: 1, score: 0.2 },
    { class: 2, score: 0.8 },
  ]);
  const { metrics, confusion, perClass } = scores.result();
  close(metrics['top1'], 3 / 4);
  close(metrics['top5'], 3 / 4);
  close(metrics['precision'], (1 + 1 / 2 + 1) / 3);
  close(metrics['recall'], (1 / 2 + 1 + 1) / 3);
  close(metrics['f1'], (2 / 3 + 2 / 3 + 1) / 3);
  assert.deepEqual(confusion?.matrix, [
    [1, 1, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
  assert.deepEqual(perClass[0], { index: 0, name: 'a', support: 2, precision: 1, recall: 0.5, f1: 2 / 3 });
});

test('overlaps by hand', () => {
  close(boxIou([0, 0, 2, 2], [1, 1, 3, 3]), 1 / 7);
  close(boxIou([0, 0, 2, 2], [1, 1, 30, 30], true), 1 / 4);
  assert.equal(boxIou([0, 0, 1, 1], [1, 0, 2, 1]), 0);
  const ring = (box: Box) => [
    [box[0], box[1]] as const,
    [box[2], box[1]] as const,
    [box[2], box[3]] as const,
    [box[0], box[3]] as const,
  ];
  close(ringIou(ring([0, 0, 2, 2]), ring([1, 1, 3, 3]).toReversed()), 1 / 7);
  // A square of side 2 and the same turned by 45°: they share a regular octagon.
  const half = Math.SQRT2;
  const turned = [[1, 1 - half] as const, [1 + half, 1] as const, [1, 1 + half] as const, [1 - half, 1] as const];
  const octagon = 8 * (Math.SQRT2 - 1);
  close(ringIou(turned, ring([0, 0, 2, 2])), octagon / (8 - octagon));
  assert.equal(ringIou(ring([0, 0, 1, 1]), ring([5, 5, 6, 6])), 0);
  assert.equal(ringIou([], ring([0, 0, 1, 1])), 0);
});

test('turned boxes as Gaussians: the same, a square turned, one moved', () => {
  const square = [[0, 0] as const, [2, 0] as const, [2, 2] as const, [0, 2] as const] as const;
  const half = Math.SQRT2;
  const turned = [
    [1, 1 - half] as const,
    [1 + half, 1] as const,
    [1, 1 + half] as const,
    [1 - half, 1] as const,
  ] as const;
  close(gaussianLikeness(square, square), 1, 1e-3);
  close(gaussianLikeness(square, turned), 1, 1e-3);
  const moved = [[1, 0] as const, [3, 0] as const, [3, 2] as const, [1, 2] as const] as const;
  // Variance 1/3 in both directions: distance 1²/(8/3) by Bhattacharyya.
  close(gaussianLikeness(square, moved), 1 - Math.sqrt(1 - Math.exp(-3 / 8)), 1e-4);
});

test('masks as runs: overlap, box, union', () => {
  const size = { width: 4, height: 3 };
  const [left, middle] = [
    maskOfRings(
      [
        [
          [0, 0],
          [2, 0],
          [2, 3],
          [0, 3],
        ],
      ],
      size,
    ),
    maskOfRings(
      [
        [
          [1, 0],
          [3, 0],
          [3, 3],
          [1, 3],
        ],
      ],
      size,
    ),
  ];
  assert.deepEqual([left.area, middle.area], [6, 6]);
  close(maskIou(left, middle), 3 / 9);
  close(maskIou(left, middle, true), 3 / 6);
  assert.deepEqual(boxOfMask(middle), [1, 0, 3, 3]);
  assert.deepEqual(unionOf([middle, left]).runs, [0, 9]);
  assert.deepEqual(boxOfMask(maskOfRle({ size: [3, 4], counts: [4, 1, 3, 1, 3] })), [1, 1, 3, 3]);
  assert.throws(() => maskOfRle({ size: [3, 4], counts: [4, 9] }), /cover 13 of 12/);
  assert.equal(maskIou(unionOf([]), left), 0);
});

test('average precision by hand: two truths, hit, miss, hit', () => {
  const boxes = [square(0, 0, 10), square(50, 50, 10)];
  const found: (FoundEntry & { box: Box })[] = [
    { class: 0, score: 0.9, box: square(0, 0, 10) },
    { class: 0, score: 0.8, box: square(100, 100, 10) },
    { class: 0, score: 0.7, box: square(50, 50, 10) },
  ];
  const precision = new AveragePrecision(1, 100);
  const entries = boxes.map(() => ({ class: 0, crowd: false, ignored: false }));
  precision.add(entries, found, (i, j) => boxIou(found[i]?.box ?? [0, 0, 0, 0], boxes[j] ?? [0, 0, 0, 0]));
  // Precision 1 up to recall 0.5 (51 of the 101 recalls), then 2/3.
  const [only] = precision.classes();
  close(only?.ap50 ?? undefined, (51 + 50 * (2 / 3)) / 101);
  close(only?.ap50_95 ?? undefined, (51 + 50 * (2 / 3)) / 101);
});

test('crowds are neither found nor missed', () => {
  const precision = new AveragePrecision(1, 100);
  const entries = [
    { class: 0, crowd: false, ignored: false },
    { class: 0, crowd: true, ignored: false },
  ];
  const found = [0.9, 0.8, 0.7].map((score) => ({ class: 0, score }));
  // The first lies on the truth, the others on the crowd.
  precision.add(entries, found, (i, j) => ((i === 0) === (j === 0) ? 1 : 0));
  close(precision.classes()[0]?.ap50_95 ?? undefined, 1);
  assert.equal(precision.judged().length, 1);
});

test('precision, recall and F1: where F1 is best, and at a threshold', () => {
  const judged = [
    { class: 0, score: 0.9, hit: true },
    { class: 0, score: 0.6, hit: true },
    { class: 0, score: 0.3, hit: false },
    { class: 0, score: 0.2, hit: false },
  ];
  const best = operatingPoint(judged, [3, 0]);
  assert.equal(best.threshold, 0.6);
  close(best.precision, 1);
  close(best.recall, 2 / 3);
  close(best.f1, 0.8);
  const at = operatingPoint(judged, [3, 0], 0.25);
  close(at.precision, 2 / 3);
  close(at.recall, 2 / 3);
  const none = operatingPoint([], [3]);
  assert.deepEqual([none.precision, none.recall, none.f1], [0, 0, 0]);
});

test('confusion of objects, with the background', () => {
  const objects = new ObjectMetrics({ names: ['a', 'b'], maxDetections: 100, threshold: 0.5 });
  const truth = [square(0, 0, 10), square(20, 20, 10), square(40, 40, 10)];
  const found = [
    { class: 0, score: 0.9, box: square(0, 0, 10) },
    { class: 0, score: 0.9, box: square(20, 20, 10) },
    { class: 1, score: 0.9, box: square(70, 70, 10) },
    { class: 1, score: 0.1, box: square(40, 40, 10) },
  ];
  const entries = [0, 1, 1].map((index) => ({ class: index, crowd: false, ignored: false }));
  objects.add(entries, found, (i, j) => boxIou(found[i]?.box ?? [0, 0, 0, 0], truth[j] ?? [0, 0, 0, 0]));
  assert.deepEqual(objects.result().confusion, {
    labels: ['a', 'b', 'background'],
    matrix: [
      [1, 0, 0],
      [1, 0, 1],
      [0, 1, 0],
    ],
  });
});

test('semantic: pixels by hand, 255 left out, an absent class does not count', () => {
  const pixels = new SemanticPixels(['belt', 'bolt', 'nut']);
  const mask = (...data: number[]) => ({ width: data.length, height: 1, data: Uint8Array.from(data) });
  pixels.add(mask(0, 0, 0, 1, 1, 255), mask(0, 0, 1, 1, 0, 1));
  const { metrics, perClass } = pixels.result();
  close(metrics['pixel_accuracy'], 3 / 5);
  close(metrics['miou'], (2 / 4 + 1 / 3) / 2);
  close(metrics['dice'], (4 / 6 + 2 / 4) / 2);
  assert.deepEqual(
    perClass.map(({ support }) => support),
    [3, 2, 0],
  );
});

test('keypoints by hand: similarity and PCK', () => {
  const truth = {
    class: 0,
    box: square(0, 0, 10),
    points: [[2, 2, 2] as const, [8, 8, 1] as const, [5, 5, 0] as const],
  };
  const sigmas = [0.1, 0.1, 0.1];
  const area = 0.53 * 100;
  const expected = (1 + Math.exp(-(3 ** 2) / (2 * area * 0.2 ** 2))) / 2;
  close(
    keypointSimilarity(
      [
        [2, 2],
        [8, 5],
        [100, 100],
      ],
      truth,
      sigmas,
    ),
    expected,
    1e-6,
  );
  const points = new CorrectPoints(0.25);
  points.add(
    [truth],
    [
      {
        class: 0,
        score: 0.9,
        keypoints: [
          [2.9, 2],
          [8, 9.2],
          [0, 0],
        ],
      },
    ],
    [square(0, 0, 10)],
  );
  close(points.share(), 1 / 2);
});
