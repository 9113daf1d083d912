/** One picture of parts on a belt (contract.md §14.1). Colour is drawn in the same way for every part, so it tells nothing about the class. */
import type { Draws } from './draws.ts';
import { PARTS, SHAPES, cover, type Part, type PlacedPart } from './part-shapes.ts';
import type { IndexMask, Point } from '../labelled-item.ts';

export interface SceneObject {
  readonly placed: PlacedPart;
  /** More than half covered: 1. */
  readonly mask: IndexMask;
}
export interface Scene {
  readonly side: number;
  /** RGB, row by row. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly objects: readonly SceneObject[];
}

/** `first` is the part that is surely there; `most` is how many there may be. */
export function drawScene(draws: Draws, side: number, { first, most }: { first: Part; most: number }): Scene {
  const base = [0, 1, 2].map(() => draws.uniform(60, 190));
  const canvas = background(draws, side, base);
  scratches(draws, canvas, side, base);
  const parts = place(draws, side, first, 1 + draws.below(most));
  const objects = parts.map((placed) => ({ placed, mask: paint(draws, canvas, side, placed, base) }));
  blur(canvas, side, draws.uniform(0.3, 0.9));
  const pixels = new Uint8Array(canvas.length);
  for (let i = 0; i < canvas.length; i += 1)
    pixels[i] = Math.min(255, Math.max(0, Math.round((canvas[i] ?? 0) + draws.normal(5))));
  return { side, pixels, objects };
}

/** Cubic weights of the four grid points around. */
function weights(t: number): readonly number[] {
  const [t2, t3] = [t * t, t * t * t];
  return [(-t3 + 2 * t2 - t) / 2, (3 * t3 - 5 * t2 + 2) / 2, (-3 * t3 + 4 * t2 + t) / 2, (t3 - t2) / 2];
}

function background(draws: Draws, side: number, base: readonly number[]): Float64Array {
  const cells = Math.max(2, Math.round(side / 16));
  const span = cells + 3;
  const canvas = new Float64Array(side * side * 3);
  const light = draws.uniform(-30, 30);
  for (let channel = 0; channel < 3; channel += 1) {
    const grid = Array.from({ length: span * span }, () => draws.normal(18));
    for (let y = 0; y < side; y += 1) {
      const gy = (y * cells) / side;
      const wy = weights(gy - Math.floor(gy));
      // Grid columns at this row first: the rest is four products a pixel.
      const row = Array.from({ length: span }, (_, x) =>
        wy.reduce((sum, weight, i) => sum + weight * (grid[(Math.floor(gy) + i) * span + x] ?? 0), 0),
      );
      for (let x = 0; x < side; x += 1) {
        const gx = (x * cells) / side;
        const at = Math.floor(gx);
        const wx = weights(gx - at);
        let value = (base[channel] ?? 0) + light * (x / side - 0.5) * 2;
        for (let i = 0; i < 4; i += 1) value += (wx[i] ?? 0) * (row[at + i] ?? 0);
        canvas[(y * side + x) * 3 + channel] = value;
      }
    }
  }
  return canvas;
}

function scratches(draws: Draws, canvas: Float64Array, side: number, base: readonly number[]): void {
  for (let left = draws.below(4); left > 0; left -= 1) {
    const shade = draws.normal(40);
    const [fromX, fromY, toX, toY] = [0, 1, 2, 3].map(() => draws.uniform(0, side - 1));
    for (let step = 0; step <= side; step += 1) {
      const x = Math.round((fromX ?? 0) + (((toX ?? 0) - (fromX ?? 0)) * step) / side);
      const y = Math.round((fromY ?? 0) + (((toY ?? 0) - (fromY ?? 0)) * step) / side);
      for (let channel = 0; channel < 3; channel += 1)
        canvas[(y * side + x) * 3 + channel] = (base[channel] ?? 0) + shade;
    }
  }
}

/** Too close to another: tried again, and given up after a while. Parts never touch. */
function place(draws: Draws, side: number, first: Part, count: number): PlacedPart[] {
  const placed: PlacedPart[] = [];
  for (let tries = 0; placed.length < count && tries < 60; tries += 1) {
    const part = placed.length === 0 ? first : (PARTS[draws.below(PARTS.length)] ?? first);
    const radius = draws.uniform(0.08, 0.17) * side;
    const border = SHAPES[part].margin * radius;
    const centre: Point = [draws.uniform(border, side - border), draws.uniform(border, side - border)];
    const direction = draws.direction();
    const free = placed.every((other) => {
      const [dx, dy] = [centre[0] - other.centre[0], centre[1] - other.centre[1]];
      const apart = 1.7 * (radius + other.radius) + 2;
      return dx * dx + dy * dy > apart * apart;
    });
    if (free) placed.push({ part, centre, radius, direction });
  }
  return placed;
}

function paint(
  draws: Draws,
  canvas: Float64Array,
  side: number,
  placed: PlacedPart,
  base: readonly number[],
): IndexMask {
  const mean = base.reduce((sum, value) => sum + value, 0) / 3;
  const away = draws.uniform(45, 90) * (mean > 125 ? -1 : 1);
  const colour = base.map((value) => value + away + draws.normal(8));
  const mask = { width: side, height: side, data: new Uint8Array(side * side) };
  cover(placed, side, (x, y, share) => {
    if (x + 2 >= side || y + 2 >= side) return;
    for (let channel = 0; channel < 3; channel += 1) {
      const at = ((y + 2) * side + x + 2) * 3 + channel;
      canvas[at] = (canvas[at] ?? 0) * (1 - 0.25 * share);
    }
  });
  cover(placed, side, (x, y, share) => {
    for (let channel = 0; channel < 3; channel += 1) {
      const at = (y * side + x) * 3 + channel;
      canvas[at] = (canvas[at] ?? 0) * (1 - share) + (colour[channel] ?? 0) * share;
    }
    if (share > 0.5) mask.data[y * side + x] = 1;
  });
  return mask;
}

/** Two passes of three taps each way have the wanted variance, without an exponential. */
function blur(canvas: Float64Array, side: number, deviation: number): void {
  const outer = (deviation * deviation) / 4;
  const line = new Float64Array(side);
  for (let pass = 0; pass < 2; pass += 1) {
    for (const [step, next] of [
      [3, side * 3],
      [side * 3, 3],
    ] as const) {
      for (let row = 0; row < side; row += 1) {
        for (let channel = 0; channel < 3; channel += 1) {
          const start = row * next + channel;
          for (let i = 0; i < side; i += 1) line[i] = canvas[start + i * step] ?? 0;
          for (let i = 0; i < side; i += 1) {
            const here = line[i] ?? 0;
            const before = line[Math.max(0, i - 1)] ?? 0;
            const after = line[Math.min(side - 1, i + 1)] ?? 0;
            canvas[start + i * step] = here * (1 - 2 * outer) + (before + after) * outer;
          }
        }
      }
    }
  }
}
