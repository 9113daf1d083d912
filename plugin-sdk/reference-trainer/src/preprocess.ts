import { toGrey, type Picture } from './trainer_sdk/index.ts';

export const MEAN = 0.5;
export const DEVIATION = 0.5;

/** Grey, stretched to a square by bilinear interpolation between half-pixel centres, then (x / 255 − 0.5) / 0.5. */
export function toInput(picture: Picture, side: number): Float32Array {
  const grey = toGrey(picture);
  const { width, height } = picture;
  const across = taps(width, side);
  const down = taps(height, side);
  const result = new Float32Array(side * side);
  for (let y = 0; y < side; y += 1) {
    const { from: y0, to: y1, part: py } = down[y] ?? NOWHERE;
    for (let x = 0; x < side; x += 1) {
      const { from: x0, to: x1, part: px } = across[x] ?? NOWHERE;
      const top = (grey[y0 * width + x0] ?? 0) * (1 - px) + (grey[y0 * width + x1] ?? 0) * px;
      const bottom = (grey[y1 * width + x0] ?? 0) * (1 - px) + (grey[y1 * width + x1] ?? 0) * px;
      result[y * side + x] = ((top * (1 - py) + bottom * py) / 255 - MEAN) / DEVIATION;
    }
  }
  return result;
}

interface Tap {
  readonly from: number;
  readonly to: number;
  readonly part: number;
}

const NOWHERE: Tap = { from: 0, to: 0, part: 0 };

function taps(source: number, target: number): Tap[] {
  return Array.from({ length: target }, (_, index) => {
    const centre = Math.min(source - 1, Math.max(0, ((index + 0.5) * source) / target - 0.5));
    const from = Math.floor(centre);
    return { from, to: Math.min(source - 1, from + 1), part: centre - from };
  });
}

/** Moves a picture by whole pixels into `target`; the edge is repeated. */
export function shifted(input: Float32Array, side: number, dx: number, dy: number, target: Float32Array): Float32Array {
  for (let y = 0; y < side; y += 1) {
    const row = Math.min(side - 1, Math.max(0, y - dy)) * side;
    for (let x = 0; x < side; x += 1) target[y * side + x] = input[row + Math.min(side - 1, Math.max(0, x - dx))] ?? 0;
  }
  return target;
}

/** The same as operations of export/v1. */
export function preprocessOps(side: number): readonly unknown[] {
  return [
    { op: 'decode', color: 'gray' },
    { op: 'resize', mode: 'stretch', size: [side, side], interpolation: 'bilinear', antialias: false, round: 'none' },
    { op: 'rescale', factor: 1 / 255 },
    { op: 'normalize', mean: [MEAN], std: [DEVIATION] },
    { op: 'transpose', layout: 'NCHW' },
  ];
}
