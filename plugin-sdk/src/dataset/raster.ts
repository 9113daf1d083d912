/** Pure: rings ⇄ pixels. A pixel belongs to an object when its middle lies inside (even-odd). */
import { boundsOf } from './geometry.ts';
import type { Box, IndexMask, Point, Ring } from './labelled-item.ts';

/** Calls `span` for every run of pixels inside, clipped to the picture. */
export function fillSpans(
  rings: readonly Ring[],
  { width, height }: { width: number; height: number },
  span: (y: number, from: number, to: number) => void,
): void {
  const [, top, , bottom] = boundsOf(rings.flat());
  for (let y = Math.max(0, Math.floor(top)); y < Math.min(height, Math.ceil(bottom)); y += 1) {
    const middle = y + 0.5;
    const crossings: number[] = [];
    for (const ring of rings) {
      ring.forEach(([x, edgeY], i) => {
        const [nextX, nextY] = ring[(i + 1) % ring.length] ?? [x, edgeY];
        if (edgeY <= middle !== nextY <= middle) crossings.push(x + ((middle - edgeY) / (nextY - edgeY)) * (nextX - x));
      });
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const from = Math.max(0, Math.ceil((crossings[i] ?? 0) - 0.5));
      const to = Math.min(width, Math.ceil((crossings[i + 1] ?? 0) - 0.5));
      if (from < to) span(y, from, to);
    }
  }
}

export interface Component {
  readonly value: number;
  readonly area: number;
  readonly box: Box;
  /** Only this component, cut to its box: 1 inside. */
  readonly mask: IndexMask;
}

/** Connected pixels (by sides) of the same value, in reading order of their first pixel; values that `skip` names are left out. */
export function componentsOf(mask: IndexMask, skip: (value: number) => boolean): Component[] {
  const { width, height, data } = mask;
  const owner = new Int32Array(width * height);
  const found: Component[] = [];
  for (let start = 0; start < data.length; start += 1) {
    const value = data[start] ?? 0;
    if (owner[start] !== 0 || skip(value)) continue;
    const mark = found.length + 1;
    const members = [start];
    owner[start] = mark;
    let [x1, y1, x2, y2] = [width, height, 0, 0];
    // The list grows while it is walked.
    for (let at = 0; at < members.length; at += 1) {
      const pixel = members[at] ?? 0;
      const x = pixel % width;
      const y = (pixel - x) / width;
      [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)];
      const near = [
        x > 0 ? pixel - 1 : -1,
        x + 1 < width ? pixel + 1 : -1,
        y > 0 ? pixel - width : -1,
        y + 1 < height ? pixel + width : -1,
      ];
      for (const other of near) {
        if (other < 0 || owner[other] !== 0 || data[other] !== value) continue;
        owner[other] = mark;
        members.push(other);
      }
    }
    const cut = new Uint8Array((x2 - x1) * (y2 - y1));
    for (const pixel of members) {
      const x = pixel % width;
      cut[((pixel - x) / width - y1) * (x2 - x1) + x - x1] = 1;
    }
    found.push({
      value,
      area: members.length,
      box: [x1, y1, x2, y2],
      mask: { width: x2 - x1, height: y2 - y1, data: cut },
    });
  }
  return found;
}

/** The outlines of what is not 0, along the sides of pixels: filling them gives exactly the same pixels. Holes are rings of their own. */
export function outlinesOf(mask: IndexMask, offset: Point = [0, 0]): Ring[] {
  const { width, height, data } = mask;
  function inside(x: number, y: number): boolean {
    return x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] !== 0;
  }
  // Directed sides with the object on the right hand, by the corner where they start.
  const starts = new Map<number, Point[]>();
  const key = (x: number, y: number) => y * (width + 1) + x;
  function side(x: number, y: number, to: Point): void {
    const list = starts.get(key(x, y));
    if (list === undefined) starts.set(key(x, y), [to]);
    else list.push(to);
  }
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (!inside(x, y)) continue;
      if (!inside(x, y - 1)) side(x, y, [x + 1, y]);
      if (!inside(x + 1, y)) side(x + 1, y, [x + 1, y + 1]);
      if (!inside(x, y + 1)) side(x + 1, y + 1, [x, y + 1]);
      if (!inside(x - 1, y)) side(x, y + 1, [x, y]);
    }
  }
  const rings: Ring[] = [];
  for (const [start, list] of starts) {
    while (list.length > 0) {
      const ring: Point[] = [];
      let at: Point = [start % (width + 1), Math.floor(start / (width + 1))];
      for (;;) {
        const next = starts.get(key(at[0], at[1]))?.pop();
        if (next === undefined) break;
        ring.push(at);
        at = next;
      }
      rings.push(corners(ring).map(([x, y]): Point => [x + offset[0], y + offset[1]]));
    }
  }
  return rings;
}

/** Without the points that lie on a straight line. */
function corners(ring: Ring): Ring {
  return ring.filter((point, i) => {
    const before = ring[(i + ring.length - 1) % ring.length] ?? point;
    const after = ring[(i + 1) % ring.length] ?? point;
    return (point[0] - before[0]) * (after[1] - point[1]) !== (point[1] - before[1]) * (after[0] - point[0]);
  });
}
