/** yolo-segment@1: `class x1 y1 … xn yn`, one ring a line. */
import { joinRings } from '../geometry.ts';
import { pointsOf, scaled, type YoloFormat } from './yolo-lines.ts';

export const YOLO_SEGMENT: YoloFormat = {
  shape: 'class x1 y1 x2 y2 x3 y3 …',
  fits: (columns) => columns >= 7 && columns % 2 === 1,
  isCoordinate: () => true,
  read: (row, size) => ({ kind: 'polygon', class: row.class, rings: [pointsOf(row.values, size)] }),
  write: (label, size) =>
    label.kind === 'polygon' ? { class: label.class, values: scaled(joinRings(label.rings), size) } : null,
};
