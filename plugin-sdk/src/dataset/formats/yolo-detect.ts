/** yolo-detect@1: `class cx cy w h`. */
import { boxFromYolo, boxToYolo } from './yolo-box.ts';
import type { YoloFormat } from './yolo-lines.ts';

export const YOLO_DETECT: YoloFormat = {
  shape: 'class cx cy w h',
  fits: (columns) => columns === 5,
  isCoordinate: () => true,
  read: (row, size) => ({ kind: 'box', class: row.class, box: boxFromYolo(row.values, size) }),
  write: (label, size) => (label.kind === 'box' ? { class: label.class, values: boxToYolo(label.box, size) } : null),
};
