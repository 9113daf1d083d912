/** Pure: boxes and rings. */
import type { Box, Corners, Point, Ring } from './labelled-item.ts';

export function boundsOf(points: readonly Point[]): Box {
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    x1 = Math.min(x1, x);
    y1 = Math.min(y1, y);
    x2 = Math.max(x2, x);
    y2 = Math.max(y2, y);
  }
  return [x1, y1, x2, y2];
}

export function cornersOf([x1, y1, x2, y2]: Box): Corners {
  return [
    [x1, y1],
    [x2, y1],
    [x2, y2],
    [x1, y2],
  ];
}

/** Signed: which way round shows in the sign. */
export function ringArea(ring: Ring): number {
  let sum = 0;
  ring.forEach(([x, y], i) => {
    const [nextX, nextY] = ring[(i + 1) % ring.length] ?? [x, y];
    sum += x * nextY - nextX * y;
  });
  return sum / 2;
}

/**
 * Several rings as one for formats that have one ring per object. Each further ring is reached and left over the same line, which the even-odd
 * rule does not see, so parts and holes stay exactly what they were.
 */
export function joinRings(rings: readonly Ring[]): Ring {
  const start = rings[0]?.[0];
  if (start === undefined || rings.length === 1) return rings[0] ?? [];
  return rings.flatMap((ring, i) => {
    const first = ring[0];
    if (first === undefined) return [];
    return i === 0 ? [...ring, start] : [...ring, first, start];
  });
}

function hullOf(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  function half(side: readonly Point[]): Point[] {
    const out: Point[] = [];
    for (const point of side) {
      for (;;) {
        const [a, b] = [out.at(-2), out.at(-1)];
        if (a === undefined || b === undefined) break;
        if ((b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]) > 0) break;
        out.pop();
      }
      out.push(point);
    }
    return out.slice(0, -1);
  }
  return [...half(sorted), ...half(sorted.toReversed())];
}

/** The smallest rectangle around the points, turned as needed: one side always lies on a side of the hull. */
export function smallestBox(points: readonly Point[]): Corners {
  const hull = hullOf(points);
  let best: Corners = cornersOf(boundsOf(points));
  let bestArea = Infinity;
  hull.forEach((from, i) => {
    const to = hull[(i + 1) % hull.length] ?? from;
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (length === 0) return;
    const [ux, uy] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
    const [a1, b1, a2, b2] = boundsOf(hull.map(([x, y]): Point => [x * ux + y * uy, y * ux - x * uy]));
    const area = (a2 - a1) * (b2 - b1);
    if (area >= bestArea - 1e-9) return;
    bestArea = area;
    function back(a: number, b: number): Point {
      return [a * ux - b * uy, a * uy + b * ux];
    }
    best = [back(a1, b1), back(a2, b1), back(a2, b2), back(a1, b2)];
  });
  return best;
}
