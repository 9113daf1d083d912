/** `cx cy w h` ⇄ corners in pixels. */
import type { Box } from '../labelled-item.ts';

interface Size {
  readonly width: number;
  readonly height: number;
}

export function boxFromYolo(values: readonly number[], { width, height }: Size): Box {
  const [cx = 0, cy = 0, w = 0, h = 0] = values;
  return [(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height];
}

export function boxToYolo(box: Box, { width, height }: Size): [number, number, number, number] {
  const [x1, x2] = [Math.max(0, box[0]), Math.min(width, box[2])];
  const [y1, y2] = [Math.max(0, box[1]), Math.min(height, box[3])];
  return [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height];
}
