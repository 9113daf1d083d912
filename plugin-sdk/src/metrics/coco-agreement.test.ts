import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Box, Keypoint, Point } from '../dataset/labelled-item.ts';
import { AveragePrecision, type Overlap } from './average-precision.ts';
import { boxIou } from './box-overlap.ts';
import { keypointSimilarity } from './keypoint-similarity.ts';
import { maskIou, maskOfRle } from './run-mask.ts';

/** Made by testing/make_coco_fixture.py with pycocotools 2.0.11. */
interface Fixture {
  readonly width: number;
  readonly height: number;
  readonly classes: number;
  readonly sigmas: readonly number[];
  readonly scenes: readonly {
    readonly truths: readonly {
      class: number;
      box: Box;
      crowd: boolean;
      mask: readonly number[];
      points: readonly Keypoint[];
    }[];
    readonly found: readonly {
      class: number;
      score: number;
      box: Box;
      mask: readonly number[];
      points: readonly Point[];
    }[];
  }[];
  readonly expected: readonly {
    kind: 'bbox' | 'segm' | 'keypoints';
    maxDetections: number;
    classes: readonly { ap50: number; ap50_95: number }[];
  }[];
}

// The one edge: our own file, whose shape its script fixes.
const fixture = JSON.parse(await readFile(new URL('./testing/coco-fixture.jsonl', import.meta.url), 'utf8')) as Fixture;

for (const { kind, maxDetections, classes } of fixture.expected) {
  test(`${kind}, at most ${maxDetections}: equal to pycocotools within 1e-6`, () => {
    const precision = new AveragePrecision(fixture.classes, maxDetections);
    for (const { truths, found } of fixture.scenes) {
      const poses = kind === 'keypoints';
      const entries = truths.map((truth) => ({
        class: truth.class,
        crowd: truth.crowd && !poses,
        ignored: poses && truth.points.every(([, , seen]) => seen === 0),
      }));
      precision.add(entries, found, overlapOf(kind, truths, found));
    }
    const mine = precision.classes();
    assert.equal(mine.length, classes.length);
    classes.forEach((expected, index) => {
      const { ap50, ap50_95 } = mine[index] ?? {};
      if (expected.ap50 < 0) return assert.deepEqual([ap50, ap50_95], [null, null]);
      assert.ok(expected.ap50_95 > 0.1 && expected.ap50_95 < 0.9, 'the fixture says something');
      assert.ok(Math.abs((ap50 ?? -1) - expected.ap50) < 1e-6, `class ${index}: ${ap50} and ${expected.ap50}`);
      assert.ok(Math.abs((ap50_95 ?? -1) - expected.ap50_95) < 1e-6, `class ${index}: ${ap50_95}`);
    });
  });
}

type Scene = Fixture['scenes'][number];
function overlapOf(kind: string, truths: Scene['truths'], found: Scene['found']): Overlap {
  const size = [fixture.height, fixture.width] as const;
  const masks = [found, truths].map((list) => list.map(({ mask }) => maskOfRle({ size, counts: mask })));
  return (i, j) => {
    const [seen, truth] = [found[i], truths[j]];
    assert.ok(seen !== undefined && truth !== undefined);
    if (kind === 'bbox') return boxIou(seen.box, truth.box, truth.crowd);
    if (kind === 'keypoints') return keypointSimilarity(seen.points, truth, fixture.sigmas);
    const [mine, theirs] = [masks[0]?.[i], masks[1]?.[j]];
    assert.ok(mine !== undefined && theirs !== undefined);
    return maskIou(mine, theirs, truth.crowd);
  };
}
