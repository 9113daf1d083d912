/** Pure: labels of any format as the shape that a metric compares. Null: the label has no such shape. */
import { boundsOf, cornersOf } from '../dataset/geometry.ts';
import type { Box, Corners, Label } from '../dataset/labelled-item.ts';
import type { TruthEntry } from './average-precision.ts';
import { boxOfMask, boxOfRings, maskOfRings, maskOfRle, type RunMask } from './run-mask.ts';

export type ObjectLabel = Exclude<Label, { kind: 'class' } | { kind: 'mask' }>;
interface Size {
  readonly width: number;
  readonly height: number;
}

export function isObject(label: Label): label is ObjectLabel {
  return label.kind !== 'class' && label.kind !== 'mask';
}

export function boxOfLabel(label: ObjectLabel): Box {
  if (label.kind === 'box' || label.kind === 'keypoints') return label.box;
  if (label.kind === 'polygon') return boxOfRings(label.rings);
  if (label.kind === 'rle') return boxOfMask(maskOfRle(label.rle));
  return boundsOf(label.corners);
}

export function maskOfLabel(label: ObjectLabel, size: Size): RunMask {
  if (label.kind === 'rle') return maskOfRle(label.rle);
  if (label.kind === 'polygon') return maskOfRings(label.rings, size);
  return maskOfRings([label.kind === 'obb' ? label.corners : cornersOf(label.box)], size);
}

export function cornersOfLabel(label: ObjectLabel): Corners {
  return label.kind === 'obb' ? label.corners : cornersOf(boxOfLabel(label));
}

/** A pose without a single visible point cannot be found or missed. */
export function entryOf(label: ObjectLabel): TruthEntry {
  const crowd = 'crowd' in label && label.crowd === true;
  const ignored = label.kind === 'keypoints' && label.points.every(([, , seen]) => seen === 0);
  return { class: label.class, crowd, ignored };
}
