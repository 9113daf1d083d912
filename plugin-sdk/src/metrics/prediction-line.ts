/** One line of predictions.jsonl (contract.md §7.3), taken apart for one task. */
import type { Box, Corners, Point, Ring, Rle } from '../dataset/labelled-item.ts';
import { unpackCounts } from '../dataset/rle.ts';
import type { TaskId } from '../vocabulary.ts';

export type FoundMask =
  { readonly kind: 'rle'; readonly rle: Rle } | { readonly kind: 'polygon'; readonly rings: readonly Ring[] };

export interface FoundInstance {
  readonly class: number;
  readonly score: number;
  readonly box?: Box;
  readonly mask?: FoundMask;
  readonly keypoints?: readonly Point[];
  readonly obb?: Corners;
}

export interface PredictionLine {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly classes: readonly { readonly class: number; readonly score: number }[];
  readonly instances: readonly FoundInstance[];
  /** Path beside predictions.jsonl. */
  readonly mask: string;
}

/** What is wrong with a line; the caller knows file and number. */
export class LineProblem extends Error {
  readonly code: 'prediction-invalid' | 'prediction-class';
  readonly fix: string;
  constructor(code: 'prediction-invalid' | 'prediction-class', message: string, fix: string) {
    super(message);
    this.code = code;
    this.fix = fix;
  }
}

export interface LineRules {
  readonly task: TaskId;
  readonly classes: number;
  /** Points of a pose. */
  readonly keypoints: number;
}

/** What an instance of the task must have. */
const SHAPES: Partial<Record<TaskId, keyof FoundInstance>> = {
  detect: 'box',
  segment: 'mask',
  pose: 'keypoints',
  obb: 'obb',
};

export function parseLine(text: string, rules: LineRules): PredictionLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('The line is not JSON.', 'Write one JSON object a line.');
  }
  const line = recordOf(value, 'The line');
  const { image } = line;
  if (typeof image !== 'string' || image === '') throw invalid('The line names no image.', 'Add "image".');
  const [width, height] = [sideOf(line, 'width'), sideOf(line, 'height')];
  const empty = { image, width, height, classes: [], instances: [], mask: '' };
  if (rules.task === 'classify')
    return { ...empty, classes: listOf(line, 'classes').map((item) => scored(item, rules)) };
  if (rules.task === 'semantic') {
    const { mask } = line;
    if (typeof mask !== 'string' || mask === '') throw invalid('The line names no mask.', 'Add "mask", a path.');
    return { ...empty, mask };
  }
  const instances = listOf(line, 'instances').map((item) => instanceOf(item, rules, { width, height }));
  return { ...empty, instances };
}

function instanceOf(value: unknown, rules: LineRules, size: { width: number; height: number }): FoundInstance {
  const entry = recordOf(value, 'An instance');
  const needed = SHAPES[rules.task] ?? 'box';
  if (entry[needed] === undefined)
    throw invalid(`An instance has no "${needed}".`, `Write "${needed}" for each instance of the task ${rules.task}.`);
  const { box, mask, keypoints, obb } = entry;
  return {
    ...scored(entry, rules),
    ...(box === undefined ? {} : { box: boxOf(box) }),
    ...(mask === undefined || rules.task !== 'segment' ? {} : { mask: maskOf(mask, size) }),
    ...(keypoints === undefined || rules.task !== 'pose' ? {} : { keypoints: pointsOf(keypoints, rules.keypoints) }),
    ...(obb === undefined || rules.task !== 'obb' ? {} : { obb: cornersOf(obb) }),
  };
}

function scored(value: unknown, { classes }: LineRules): { class: number; score: number } {
  const { class: index, score } = recordOf(value, 'An entry');
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= classes)
    throw new LineProblem(
      'prediction-class',
      `The class ${JSON.stringify(index)} is not one of 0 to ${classes - 1}.`,
      'Write the index of the class in dataset.json.',
    );
  if (typeof score !== 'number' || !(score >= 0 && score <= 1 + 1e-6))
    throw invalid(`The score ${JSON.stringify(score)} is not between 0 and 1.`, 'Write a probability.');
  return { class: index, score };
}

function boxOf(value: unknown): Box {
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = numbersOf(value, 4, 'box', 'x1 y1 x2 y2');
  return [x1, y1, x2, y2];
}

function cornersOf(value: unknown): Corners {
  const list = Array.isArray(value) ? value.flat() : value;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = numbersOf(list, 8, 'obb', 'four corners x y');
  return [
    [a, b],
    [c, d],
    [e, f],
    [g, h],
  ];
}

function pointsOf(value: unknown, count: number): Point[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  if (list.length !== count)
    throw invalid(`An instance has ${list.length} keypoints instead of ${count}.`, 'Write one for each name.');
  return list.map((item) => {
    const [x = 0, y = 0] = numbersOf(Array.isArray(item) ? item.slice(0, 2) : item, 2, 'keypoints', 'x y score');
    return [x, y];
  });
}

function maskOf(value: unknown, { width, height }: { width: number; height: number }): FoundMask {
  const { rle, polygon } = recordOf(value, '"mask"');
  if (polygon !== undefined) {
    const rings: readonly unknown[] = Array.isArray(polygon) ? polygon : [];
    return {
      kind: 'polygon',
      rings: rings.map((ring) => {
        const flat = numbersOf(ring, null, 'mask.polygon', 'x y x y …');
        return Array.from({ length: flat.length / 2 }, (_, i): Point => [flat[2 * i] ?? 0, flat[2 * i + 1] ?? 0]);
      }),
    };
  }
  const { size, counts } = recordOf(rle, '"mask.rle"');
  const sides = numbersOf(size, 2, 'mask.rle.size', 'height width');
  if (sides[0] !== height || sides[1] !== width)
    throw invalid(
      `A mask has the size ${sides.join(' × ')} instead of ${height} × ${width}.`,
      'Write [height, width].',
    );
  if (typeof counts !== 'string')
    return {
      kind: 'rle',
      rle: { size: [height, width], counts: numbersOf(counts, null, 'mask.rle.counts', 'runs', false) },
    };
  try {
    return { kind: 'rle', rle: { size: [height, width], counts: unpackCounts(counts) } };
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), 'Write runs as COCO does.');
  }
}

function numbersOf(value: unknown, count: number | null, name: string, what: string, paired = true): number[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const numbers = list.flatMap((item) => (typeof item === 'number' && Number.isFinite(item) ? [item] : []));
  const whole = count === null ? !paired || numbers.length % 2 === 0 : numbers.length === count;
  if (!Array.isArray(value) || numbers.length !== list.length || !whole)
    throw invalid(`"${name}" is not ${what} in finite numbers.`, `Write ${what}, in pixels of the original picture.`);
  return numbers;
}

function sideOf(line: Record<string, unknown>, name: 'width' | 'height'): number {
  const value = line[name];
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
  throw invalid(`"${name}" is no number of pixels.`, 'Write the size of the original picture.');
}

function listOf(line: Record<string, unknown>, name: string): readonly unknown[] {
  const value = line[name];
  if (Array.isArray(value)) return value;
  throw invalid(`The line has no list "${name}".`, `Write "${name}"; an empty list when nothing was found.`);
}

function recordOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw invalid(`${what} is not an object.`, 'Write it as contract.md §7.3 says.');
}

function invalid(message: string, fix: string): LineProblem {
  return new LineProblem('prediction-invalid', message, fix);
}
