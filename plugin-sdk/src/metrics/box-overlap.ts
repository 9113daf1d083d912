/** Pure: how much two shapes overlap. Pixels of the original picture. */
import { ringArea } from '../dataset/geometry.ts';
import type { Box, Corners, Point, Ring } from '../dataset/labelled-item.ts';

export function boxArea([x1, y1, x2, y2]: Box): number {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
}

/** Intersection over union; over the area of `found` alone where the truth is a crowd. */
export function boxIou(found: Box, truth: Box, crowd = false): number {
  const width = Math.min(found[2], truth[2]) - Math.max(found[0], truth[0]);
  const height = Math.min(found[3], truth[3]) - Math.max(found[1], truth[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (crowd ? boxArea(found) : boxArea(found) + boxArea(truth) - shared);
}

/** Of two convex rings, in any direction. */
export function ringIou(found: Ring, truth: Ring): number {
  const [first, second] = [clockwise(found), clockwise(truth)];
  const [areaA, areaB] = [ringArea(first), ringArea(second)];
  if (areaA <= 0 || areaB <= 0) return 0;
  let shape: readonly Point[] = first;
  second.forEach((from, i) => {
    shape = cut(shape, from, second[(i + 1) % second.length] ?? from);
  });
  const shared = Math.max(0, ringArea(shape));
  return Math.min(1, shared / (areaA + areaB - shared));
}

/**
 * Likeness of two turned boxes seen as Gaussians: one less the Hellinger distance. Frameworks that train on it score with it; it is kinder than the
 * overlap, and a square turned by 45° is the same square to it.
 */
export function gaussianLikeness(found: Corners, truth: Corners): number {
  const [one, two] = [gaussianOf(found), gaussianOf(truth)];
  const [a, b, c] = [one.a + two.a, one.b + two.b, one.c + two.c];
  const [dx, dy] = [one.x - two.x, one.y - two.y];
  const determinant = a * b - c * c;
  const near = (0.25 * (a * dy * dy + b * dx * dx) - 0.5 * c * dx * dy) / (determinant + TINY);
  const own = Math.sqrt(Math.max(0, one.a * one.b - one.c ** 2) * Math.max(0, two.a * two.b - two.c ** 2));
  const apart = near + 0.5 * Math.log(determinant / (4 * own + TINY) + TINY);
  return 1 - Math.sqrt(1 - Math.exp(-Math.min(100, Math.max(TINY, apart))) + TINY);
}

const TINY = 1e-7;

/** Middle and covariance of a box: its sides squared, a twelfth. */
function gaussianOf([p, q, r, s]: Corners): { x: number; y: number; a: number; b: number; c: number } {
  const [ux, uy, vx, vy] = [q[0] - p[0], q[1] - p[1], r[0] - q[0], r[1] - q[1]];
  return {
    x: (p[0] + q[0] + r[0] + s[0]) / 4,
    y: (p[1] + q[1] + r[1] + s[1]) / 4,
    a: (ux * ux + vx * vx) / 12,
    b: (uy * uy + vy * vy) / 12,
    c: (ux * uy + vx * vy) / 12,
  };
}

function clockwise(ring: Ring): Ring {
  return ringArea(ring) < 0 ? ring.toReversed() : ring;
}

/** What lies on the inner side of the line from → to. */
function cut(shape: readonly Point[], from: Point, to: Point): Point[] {
  const side = ([x, y]: Point) => (to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0]);
  const kept: Point[] = [];
  shape.forEach((point, i) => {
    const next = shape[(i + 1) % shape.length] ?? point;
    const [here, there] = [side(point), side(next)];
    if (here >= 0) kept.push(point);
    if (here >= 0 === there >= 0) return;
    const part = here / (here - there);
    kept.push([point[0] + part * (next[0] - point[0]), point[1] + part * (next[1] - point[1])]);
  });
  return kept;
}
