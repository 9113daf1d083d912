/** The tasks whose answers are objects: which shapes are compared, and under which names the figures go (contract.md §7.1). */
import { boundsOf, cornersOf } from '../dataset/geometry.ts';
import type { Box, Item } from '../dataset/labelled-item.ts';
import { boxIou, gaussianLikeness, ringIou } from './box-overlap.ts';
import { ClassPixels } from './class-pixels.ts';
import { keypointSimilarity, sigmasOr } from './keypoint-similarity.ts';
import { DRAWN_FROM, ObjectMetrics, type ObjectRules } from './object-metrics.ts';
import { CorrectPoints } from './correct-points.ts';
import type { FoundInstance } from './prediction-line.ts';
import type { TaskMetrics } from './recomputed.ts';
import { boxOfMask, maskIou, maskOfRings, maskOfRle, type RunMask } from './run-mask.ts';
import { boxOfLabel, cornersOfLabel, entryOf, isObject, maskOfLabel } from './truth-shapes.ts';

export interface ObjectTask {
  /** One picture. Throws an Error with one sentence when a mask cannot be taken apart. */
  add(item: Item, found: readonly FoundInstance[]): void;
  result(): TaskMetrics;
}

const NOTHING: Box = [0, 0, 0, 0];

export function detectTask(rules: ObjectRules): ObjectTask {
  const boxes = new ObjectMetrics(rules);
  return {
    add(item, found) {
      const labels = item.labels.filter(isObject);
      const truth = labels.map(boxOfLabel);
      const entries = labels.map(entryOf);
      boxes.add(entries, found, (i, j) =>
        boxIou(found[i]?.box ?? NOTHING, truth[j] ?? NOTHING, entries[j]?.crowd ?? false),
      );
    },
    result: () => withF1(boxes),
  };
}

/** By the overlap of the turned boxes; beside it, as `x/probiou_…`, by their likeness as Gaussians, which some frameworks report. */
export function obbTask(rules: ObjectRules): ObjectTask {
  const [turned, gaussian] = [new ObjectMetrics(rules), new ObjectMetrics(rules)];
  return {
    add(item, found) {
      const labels = item.labels.filter(isObject);
      const truth = labels.map(cornersOfLabel);
      const entries = labels.map(entryOf);
      const boxes = found.map(({ obb }) => obb ?? cornersOf(NOTHING));
      turned.add(entries, found, (i, j) => ringIou(boxes[i] ?? [], truth[j] ?? []));
      gaussian.add(entries, found, (i, j) => {
        const [mine, theirs] = [boxes[i], truth[j]];
        return mine === undefined || theirs === undefined ? 0 : gaussianLikeness(mine, theirs);
      });
    },
    result() {
      const { metrics, ...rest } = withF1(turned);
      const { map50, map50_95 } = gaussian.means();
      return { ...rest, metrics: { ...metrics, 'x/probiou_map50_95': map50_95, 'x/probiou_map50': map50 } };
    },
  };
}

export function segmentTask(rules: ObjectRules): ObjectTask {
  const [masks, boxes] = [new ObjectMetrics(rules), new ObjectMetrics(rules)];
  const pixels = new ClassPixels(rules.names.length);
  return {
    add(item, found) {
      const labels = item.labels.filter(isObject);
      const entries = labels.map(entryOf);
      const truth = labels.map((label) => maskOfLabel(label, item));
      const seen = found.map((entry) => maskOfFound(entry, item));
      const [trueBoxes, foundBoxes] = [labels.map(boxOfLabel), seen.map((mask, i) => found[i]?.box ?? boxOfMask(mask))];
      const crowd = (j: number): boolean => entries[j]?.crowd ?? false;
      masks.add(entries, found, (i, j) => {
        const [mine, theirs] = [seen[i], truth[j]];
        return mine === undefined || theirs === undefined ? 0 : maskIou(mine, theirs, crowd(j));
      });
      boxes.add(entries, found, (i, j) => boxIou(foundBoxes[i] ?? NOTHING, trueBoxes[j] ?? NOTHING, crowd(j)));
      const least = rules.threshold ?? DRAWN_FROM;
      pixels.add(
        labels.map((label, j) => ({ class: label.class, mask: truth[j] })),
        found.map(({ class: index, score }, i) => ({ class: index, mask: score >= least ? seen[i] : undefined })),
      );
    },
    result() {
      const { f1: _f1, metrics, ...rest } = masks.result('mask_');
      const { map50, map50_95 } = boxes.means();
      return { ...rest, metrics: { ...metrics, box_map50_95: map50_95, box_map50: map50, miou: pixels.miou() } };
    },
  };
}

export function poseTask(rules: ObjectRules, points: number, sigmas: readonly number[] | undefined): ObjectTask {
  const [poses, boxes] = [new ObjectMetrics(rules), new ObjectMetrics(rules)];
  const correct = new CorrectPoints(rules.threshold ?? DRAWN_FROM);
  const spread = sigmasOr(sigmas, points);
  return {
    add(item, found) {
      const labels = item.labels.filter((label) => label.kind === 'keypoints');
      const entries = labels.map(entryOf);
      const foundBoxes = found.map(({ box, keypoints }) => box ?? boundsOf(keypoints ?? []));
      poses.add(entries, found, (i, j) => {
        const truth = labels[j];
        return truth === undefined ? 0 : keypointSimilarity(found[i]?.keypoints ?? [], truth, spread);
      });
      const seen = entries.map((entry) => ({ ...entry, ignored: false }));
      boxes.add(seen, found, (i, j) => boxIou(foundBoxes[i] ?? NOTHING, labels[j]?.box ?? NOTHING));
      correct.add(labels, found, foundBoxes);
    },
    result() {
      const { f1: _f1, metrics, ...rest } = poses.result('pose_');
      const { map50, map50_95 } = boxes.means();
      return { ...rest, metrics: { ...metrics, box_map50_95: map50_95, box_map50: map50, pck: correct.share() } };
    },
  };
}

function withF1(objects: ObjectMetrics): TaskMetrics {
  const { f1, metrics, ...rest } = objects.result();
  return { ...rest, metrics: { ...metrics, f1 } };
}

function maskOfFound({ mask }: FoundInstance, size: { width: number; height: number }): RunMask {
  if (mask === undefined) return { height: size.height, runs: [], area: 0 };
  return mask.kind === 'rle' ? maskOfRle(mask.rle) : maskOfRings(mask.rings, size);
}
