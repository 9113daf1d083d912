/** yolo-obb@1: `class x1 y1 x2 y2 x3 y3 x4 y4`, corners in order around the box. */
import type { Corners, Point } from '../labelled-item.ts';
import { pointsOf, scaled, type YoloFormat } from './yolo-lines.ts';

export function fourCorners(points: readonly Point[]): Corners | null {
  const [a, b, c, d] = points;
  return a === undefined || b === undefined || c === undefined || d === undefined ? null : [a, b, c, d];
}

export const YOLO_OBB: YoloFormat = {
  shape: 'class x1 y1 x2 y2 x3 y3 x4 y4',
  fits: (columns) => columns === 9,
  isCoordinate: () => true,
  read: (row, size) => {
    const corners = fourCorners(pointsOf(row.values, size));
    return corners === null ? null : { kind: 'obb', class: row.class, corners };
  },
  write: (label, size) => (label.kind === 'obb' ? { class: label.class, values: scaled(label.corners, size) } : null),
};
