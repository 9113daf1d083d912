/** Bolt, nut and washer in their own coordinates: radius 1, long side along u. */
import type { Box, Corners, Point } from '../labelled-item.ts';

export const PARTS = ['bolt', 'nut', 'washer'] as const;
export type Part = (typeof PARTS)[number];

export interface PlacedPart {
  readonly part: Part;
  readonly centre: Point;
  readonly radius: number;
  readonly direction: Point;
}

const HALF_HEIGHT = Math.sqrt(3) / 2;

interface Shape {
  inside(u: number, v: number): boolean;
  /** Around all of it, in its own coordinates. */
  readonly around: Box;
  /** So far the centre keeps from the border, in radii: box and points stay inside the picture. */
  readonly margin: number;
}

export const SHAPES: Readonly<Record<Part, Shape>> = {
  bolt: {
    inside: (u, v) => (Math.abs(u) <= 1.25 && Math.abs(v) <= 0.175) || (u - 1.25) * (u - 1.25) + v * v <= 0.42 * 0.42,
    around: [-1.25, -0.42, 1.67, 0.42],
    margin: 1.75,
  },
  nut: {
    inside: (u, v) =>
      Math.abs(v) <= HALF_HEIGHT &&
      Math.abs(v) * 0.5 + Math.abs(u) * HALF_HEIGHT <= HALF_HEIGHT &&
      u * u + v * v > 0.42 * 0.42,
    around: [-1, -HALF_HEIGHT, 1, HALF_HEIGHT],
    margin: 1.35,
  },
  washer: {
    inside: (u, v) => u * u + v * v <= 1 && u * u + v * v > 0.62 * 0.62,
    around: [-1, -1, 1, 1],
    margin: 1.45,
  },
};

export function toPicture({ centre, radius, direction: [c, s] }: PlacedPart, [u, v]: Point): Point {
  return [centre[0] + radius * (u * c - v * s), centre[1] + radius * (u * s + v * c)];
}

export function cornersOfPart(placed: PlacedPart): Corners {
  const [u1, v1, u2, v2] = SHAPES[placed.part].around;
  return [
    toPicture(placed, [u1, v1]),
    toPicture(placed, [u2, v1]),
    toPicture(placed, [u2, v2]),
    toPicture(placed, [u1, v2]),
  ];
}

const STEPS = 4;

/** Calls `pixel` with how much of each pixel is covered, 0 to 1 in sixteenths; pixels that are not touched are left out. */
export function cover(placed: PlacedPart, side: number, pixel: (x: number, y: number, share: number) => void): void {
  const { centre, radius, direction } = placed;
  const reach = radius * 1.75 + 1;
  const [c, s] = direction;
  const shape = SHAPES[placed.part];
  for (let y = Math.max(0, Math.floor(centre[1] - reach)); y < Math.min(side, centre[1] + reach); y += 1) {
    for (let x = Math.max(0, Math.floor(centre[0] - reach)); x < Math.min(side, centre[0] + reach); x += 1) {
      let hits = 0;
      for (let i = 0; i < STEPS * STEPS; i += 1) {
        const dx = (x + ((i % STEPS) + 0.5) / STEPS - centre[0]) / radius;
        const dy = (y + (Math.floor(i / STEPS) + 0.5) / STEPS - centre[1]) / radius;
        if (shape.inside(dx * c + dy * s, dy * c - dx * s)) hits += 1;
      }
      if (hits > 0) pixel(x, y, hits / (STEPS * STEPS));
    }
  }
}
