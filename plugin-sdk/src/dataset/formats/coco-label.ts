/** One COCO annotation ⇄ label. */
import { boundsOf, joinRings, ringArea } from '../geometry.ts';
import { componentsOf } from '../raster.ts';
import type { Box, Keypoint, KeypointSpec, Label, Point, Ring, Rle } from '../labelled-item.ts';
import type { Note } from '../reading.ts';
import { decodeRle, packCounts, unpackCounts } from '../rle.ts';
import { entryOf, numbersOf, textOf, type Entry } from './coco-file.ts';
import { seenFlag } from './yolo-pose.ts';

export type Complaint = Pick<Note, 'check' | 'message' | 'fix' | 'evidence'>;
interface Size {
  readonly width: number;
  readonly height: number;
}
const SLACK = 0.5;

/** `class` is known to be right. A complaint instead of a label when the numbers are wrong. */
export function labelFromCoco(
  annotation: Entry,
  index: number,
  size: Size,
  { task, keypoints }: { task: string; keypoints: KeypointSpec | undefined },
): Label | Complaint {
  const box = boxFromCoco(annotation['bbox'], size);
  if (box !== null && 'check' in box) return box;
  const crowd = annotation['iscrowd'] === 1;
  if (task === 'pose') {
    if (box === null) return noGeometry('bbox');
    return posed(annotation, index, box, keypoints?.names.length ?? 0, size);
  }
  if (task !== 'detect') {
    const shape = shapeFromCoco(annotation['segmentation'], index, size, crowd);
    if (shape !== null) return shape;
  }
  if (box === null) return noGeometry(task === 'detect' ? 'bbox' : 'segmentation');
  return task === 'detect'
    ? { kind: 'box', class: index, box, ...(crowd ? { crowd } : {}) }
    : noGeometry('segmentation');
}

function noGeometry(field: string): Complaint {
  const message = `The annotation has no ${field}.`;
  return { check: 'dataset-column-count', message, fix: `Add ${field} to each annotation.` };
}

function checkNumbers(values: readonly number[], isX: (at: number) => boolean, size: Size): Complaint | null {
  const evidence = values.slice(0, 16).join(' ');
  const strange = values.find((value) => !Number.isFinite(value));
  if (strange !== undefined) {
    const message = `${strange} is not a finite number.`;
    return { check: 'dataset-number-finite', message, fix: 'Write plain numbers of pixels.', evidence };
  }
  const outside = values.find((value, at) => value < -SLACK || value > (isX(at) ? size.width : size.height) + SLACK);
  if (outside === undefined) return null;
  const message = `The coordinate ${outside} lies outside the picture of ${size.width} × ${size.height}.`;
  return { check: 'dataset-coordinate-range', message, fix: 'Cut the shape at the border of the picture.', evidence };
}

function boxFromCoco(value: unknown, size: Size): Box | Complaint | null {
  if (value === undefined || value === null) return null;
  const numbers = numbersOf(value);
  const [x = 0, y = 0, w = 0, h = 0] = numbers ?? [];
  if (numbers?.length !== 4)
    return {
      check: 'dataset-column-count',
      message: 'bbox is not x y width height.',
      fix: 'Write four numbers.',
      evidence: JSON.stringify(value),
    };
  const wrong = checkNumbers([x, y, x + w, y + h], (at) => at % 2 === 0, size);
  if (wrong !== null) return wrong;
  if (w < 0 || h < 0) {
    const message = 'bbox has a negative width or height.';
    return { check: 'dataset-coordinate-range', message, fix: 'Write x y of the upper left corner, then the size.' };
  }
  return [x, y, x + w, y + h];
}

function posed(annotation: Entry, index: number, box: Box, count: number, size: Size): Label | Complaint {
  const values = numbersOf(annotation['keypoints']);
  if (values?.length !== count * 3) {
    const message = `The annotation has ${(values?.length ?? 0) / 3} points; dataset.json names ${count}.`;
    return {
      check: 'dataset-keypoint-count',
      message,
      fix: `Write x y v for ${count} points; 0 0 0 for an absent one.`,
    };
  }
  const points: Keypoint[] = [];
  for (let at = 0; at < values.length; at += 3) {
    const [x = 0, y = 0, v = 0] = values.slice(at, at + 3);
    const seen = seenFlag(v);
    if (seen === null) {
      const message = `Visibility ${v} of a point is none of 0, 1, 2.`;
      return { check: 'dataset-coordinate-range', message, fix: 'Write 0 absent, 1 hidden, 2 visible.' };
    }
    const wrong = checkNumbers([x, y], (i) => i === 0, size);
    if (wrong !== null) return wrong;
    points.push([x, y, seen]);
  }
  return { kind: 'keypoints', class: index, box, points };
}

function shapeFromCoco(value: unknown, index: number, size: Size, crowd: boolean): Label | Complaint | null {
  const packed = entryOf(value);
  if (packed !== null) return runsFromCoco(packed, index, size, crowd);
  if (!Array.isArray(value) || value.length === 0) return null;
  const rings: Ring[] = [];
  for (const part of value) {
    const numbers = numbersOf(part);
    if (numbers === null || numbers.length < 6 || numbers.length % 2 === 1) {
      const message = 'A polygon is not a list of three or more x y pairs.';
      return {
        check: 'dataset-column-count',
        message,
        fix: 'Write x1 y1 x2 y2 x3 y3 …',
        evidence: JSON.stringify(part),
      };
    }
    const wrong = checkNumbers(numbers, (at) => at % 2 === 0, size);
    if (wrong !== null) return wrong;
    rings.push(
      Array.from({ length: numbers.length / 2 }, (_, i): Point => [numbers[2 * i] ?? 0, numbers[2 * i + 1] ?? 0]),
    );
  }
  return { kind: 'polygon', class: index, rings };
}

function runsFromCoco(packed: Entry, index: number, size: Size, crowd: boolean): Label | Complaint {
  try {
    const text = textOf(packed['counts']);
    const [height = 0, width = 0] = numbersOf(packed['size']) ?? [];
    const rle: Rle = {
      size: [height, width],
      counts: text === null ? (numbersOf(packed['counts']) ?? []) : unpackCounts(text),
    };
    if (height !== size.height || width !== size.width) {
      const message = `The mask is ${width} × ${height}, the picture ${size.width} × ${size.height}.`;
      return { check: 'dataset-mask-size', message, fix: 'Encode the mask in the size of the picture.' };
    }
    decodeRle(rle);
    return { kind: 'rle', class: index, rle, ...(crowd ? { crowd } : {}) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      check: 'dataset-annotation-unreadable',
      message,
      fix: 'Encode the runs again; they fill the whole picture.',
    };
  }
}

/** Fields of the annotation without its ids; null when the label has no place in COCO. */
export function labelToCoco(label: Label): Record<string, unknown> | null {
  function boxed([x1, y1, x2, y2]: Box) {
    return { bbox: [x1, y1, x2 - x1, y2 - y1], area: (x2 - x1) * (y2 - y1), iscrowd: 0 };
  }
  switch (label.kind) {
    case 'box':
      return { ...boxed(label.box), iscrowd: label.crowd === true ? 1 : 0 };
    case 'keypoints':
      return {
        ...boxed(label.box),
        keypoints: label.points.flat(),
        num_keypoints: label.points.filter(([, , seen]) => seen > 0).length,
      };
    case 'polygon':
      return {
        ...boxed(boundsOf(label.rings.flat())),
        area: Math.abs(label.rings.reduce((sum, ring) => sum + ringArea(ring), 0)),
        segmentation: partsFor(label.rings).map((ring) => ring.flat()),
      };
    case 'rle': {
      const parts = componentsOf(decodeRle(label.rle), (value) => value === 0);
      const corners = parts.flatMap(({ box: [x1, y1, x2, y2] }): Point[] => [
        [x1, y1],
        [x2, y2],
      ]);
      return {
        ...boxed(corners.length === 0 ? [0, 0, 0, 0] : boundsOf(corners)),
        area: parts.reduce((sum, part) => sum + part.area, 0),
        iscrowd: label.crowd === true ? 1 : 0,
        segmentation: { size: label.rle.size, counts: packCounts(label.rle.counts) },
      };
    }
    default:
      return null;
  }
}

/** COCO adds rings up, so a hole (a ring that turns the other way) has to become part of the ring around it. */
function partsFor(rings: readonly Ring[]): readonly Ring[] {
  const turns = new Set(rings.map((ring) => ringArea(ring) > 0));
  return turns.size > 1 ? [joinRings(rings)] : rings;
}
