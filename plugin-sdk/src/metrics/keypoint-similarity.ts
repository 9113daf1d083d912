/** Pure: object keypoint similarity as COCO defines it. */
import type { Box, Keypoint } from '../dataset/labelled-item.ts';
import { boxArea } from './box-overlap.ts';

const COCO_17 = [
  0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
];
/** Part of its box that an object fills, taken where a dataset has no outline: the usual figure. */
const FILLED = 0.53;

/** COCO's for its 17 points of a person, else 1/K for each of K points. */
export function sigmasOr(sigmas: readonly number[] | undefined, points: number): readonly number[] {
  if (sigmas?.length === points) return sigmas;
  return points === COCO_17.length ? COCO_17 : Array.from({ length: points }, () => 1 / points);
}

export interface TruePose {
  readonly box: Box;
  readonly points: readonly Keypoint[];
}

/**
 * Mean over the points that the truth has. Where it has none, points count by how far they lie outside of the box grown by its own size on each
 * side: such a truth is left out of the score, but findings on it must not be held against anybody.
 */
export function keypointSimilarity(
  found: readonly (readonly [x: number, y: number])[],
  { box, points }: TruePose,
  sigmas: readonly number[],
): number {
  const area = FILLED * boxArea(box);
  const blind = points.every(([, , seen]) => seen === 0);
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  let [sum, counted] = [0, 0];
  points.forEach(([x, y, seen], i) => {
    const point = found[i];
    if ((seen === 0 && !blind) || point === undefined) return;
    const dx = blind ? outside(point[0], box[0] - width, box[2] + width) : point[0] - x;
    const dy = blind ? outside(point[1], box[1] - height, box[3] + height) : point[1] - y;
    const spread = (2 * (sigmas[i] ?? 1)) ** 2;
    sum += Math.exp(-(dx ** 2 + dy ** 2) / spread / (area + Number.EPSILON) / 2);
    counted += 1;
  });
  return counted === 0 ? 0 : sum / counted;
}

function outside(value: number, from: number, to: number): number {
  return Math.max(0, from - value) + Math.max(0, value - to);
}
