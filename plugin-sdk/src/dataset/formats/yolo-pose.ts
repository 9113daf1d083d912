/** yolo-pose@1: `class cx cy w h` and `x y v` for each of the K points. */
import type { Keypoint, KeypointSpec } from '../labelled-item.ts';
import { boxFromYolo, boxToYolo } from './yolo-box.ts';
import type { YoloFormat } from './yolo-lines.ts';

export function seenFlag(value: number): 0 | 1 | 2 | null {
  return value === 0 || value === 1 || value === 2 ? value : null;
}

export function yoloPose(spec: KeypointSpec | undefined): YoloFormat {
  const count = spec?.names.length ?? 0;
  return {
    shape: `class cx cy w h and x y v for each of ${count} points`,
    // Another number of points is a problem of its own, named in read.
    fits: (columns) => columns >= 5 && (columns - 5) % 3 === 0,
    isCoordinate: (at) => at < 4 || (at - 4) % 3 !== 2,
    read: (row, size, report) => {
      const where = { file: row.file, line: row.line, evidence: row.text };
      const found = (row.values.length - 4) / 3;
      if (found !== count) {
        const message = `The row has ${found} points; dataset.json names ${count}.`;
        const fix = `Write ${count} points; 0 0 0 for one that is absent.`;
        report({ check: 'dataset-keypoint-count', ...where, message, fix });
        return null;
      }
      const points: Keypoint[] = [];
      for (let at = 4; at < row.values.length; at += 3) {
        const [x = 0, y = 0, v = 0] = row.values.slice(at, at + 3);
        const seen = seenFlag(v);
        if (seen === null) {
          const message = `Visibility ${v} of a point is none of 0, 1, 2.`;
          const fix = 'Write 0 for absent, 1 for hidden, 2 for visible.';
          report({ check: 'dataset-coordinate-range', ...where, message, fix });
          return null;
        }
        points.push([x * size.width, y * size.height, seen]);
      }
      return { kind: 'keypoints', class: row.class, box: boxFromYolo(row.values, size), points };
    },
    write: (label, size) => {
      if (label.kind !== 'keypoints') return null;
      const points = label.points.flatMap(([x, y, seen]) =>
        seen === 0 ? [0, 0, 0] : [clamp(x / size.width), clamp(y / size.height), seen],
      );
      return { class: label.class, values: [...boxToYolo(label.box, size), ...points] };
    },
  };
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
