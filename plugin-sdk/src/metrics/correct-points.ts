import type { Box } from '../dataset/labelled-item.ts';
import { boxIou } from './box-overlap.ts';
import type { TruePose } from './keypoint-similarity.ts';
import type { FoundInstance } from './prediction-line.ts';
import { ratioOf } from './recomputed.ts';

/** A point is right when it is no further away than this part of the longer side of the true box. */
const REACH = 0.1;
const LEAST_OVERLAP = 0.5;

/** PCK@0.1: share of the points of the truth that were found. Each true pose goes with the best free box of its class. */
export class CorrectPoints {
  readonly #threshold: number;
  #right = 0;
  #points = 0;

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** One picture. */
  add(
    truth: readonly (TruePose & { readonly class: number })[],
    found: readonly FoundInstance[],
    boxes: readonly Box[],
  ): void {
    const taken = new Set<number>();
    const order = found.flatMap(({ score }, i) => (score >= this.#threshold ? [i] : []));
    order.sort((a, b) => (found[b]?.score ?? 0) - (found[a]?.score ?? 0));
    const pairs = new Map<number, FoundInstance>();
    for (const i of order) {
      const [entry, box] = [found[i], boxes[i]];
      if (entry === undefined || box === undefined) continue;
      const overlaps = truth.map((pose, j) => (taken.has(j) || pose.class !== entry.class ? 0 : boxIou(box, pose.box)));
      const best = Math.max(0, ...overlaps);
      if (best < LEAST_OVERLAP) continue;
      const j = overlaps.indexOf(best);
      taken.add(j);
      pairs.set(j, entry);
    }
    truth.forEach(({ box, points }, j) => {
      const reach = REACH * Math.max(box[2] - box[0], box[3] - box[1]);
      points.forEach(([x, y, seen], k) => {
        if (seen === 0) return;
        this.#points += 1;
        const point = pairs.get(j)?.keypoints?.[k];
        if (point !== undefined && Math.hypot(point[0] - x, point[1] - y) <= reach) this.#right += 1;
      });
    });
  }

  share(): number {
    return ratioOf(this.#right, this.#points);
  }
}
