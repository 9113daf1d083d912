import { decodeMask, encodeMask } from '@trainyard/plugin-sdk/dataset';
import { COCO_FAULTS } from './coco-faults.ts';
import { naming, type DatasetFault } from './dataset-fault.ts';

import { annotationOf, linesOf, listed, withDatasetFile, withFiles, withList, type TestData } from './test-data.ts';

/** Of the train split; every fault has a picture of its own, so that they do not hide each other. */
export const PICTURE = {
  broken: 1,
  missing: 2,
  twice: 3,
  index: 4,
  range: 5,
  number: 6,
  columns: 7,
  mixed: 8,
  row: 9,
  size: 10,
  value: 11,
  points: 12,
  twin: 13,
};

const ABSENT = 'screw';

export function picture(data: TestData, at: number): string {
  const path = listed(data, 'train')[at];
  if (path === undefined) throw new Error(`the test data has no picture ${at}`);
  return path;
}

/** Faults that fit the format of the data. Pure; throws when the data are smaller than the tiny ones. */
export function datasetFaults(data: TestData): readonly DatasetFault[] {
  const { format } = data.file;
  const own = format.startsWith('yolo-')
    ? yoloFaults(data)
    : format === 'coco@1'
      ? COCO_FAULTS(data)
      : format === 'mask-png@1'
        ? maskFaults(data)
        : [];
  return [...commonFaults(data), ...own];
}

export function withFaults(data: TestData, faults: readonly DatasetFault[]): TestData {
  return faults.reduce((broken, fault) => fault.put(broken), data);
}

function commonFaults(data: TestData): DatasetFault[] {
  const [broken, missing, twin, twice] = [PICTURE.broken, PICTURE.missing, PICTURE.twin, PICTURE.twice].map((at) =>
    picture(data, at),
  ) as [string, string, string, string];
  const other = listed(data, 'val')[0] ?? '';
  return [
    {
      name: 'undecodable-image',
      names: naming(broken),
      says: `a picture that cannot be decoded (${broken})`,
      put: (into) => withFiles(into, { [broken]: 'This is not a picture.' }),
    },
    {
      name: 'missing-image',
      names: naming(missing),
      says: `a listed picture that is missing (${missing})`,
      put: (into) => withFiles(into, { [missing]: null }),
    },
    {
      name: 'split-overlap',
      names: new RegExp(`${naming(twin).source}|${naming(other).source}`),
      says: `the same picture in train and val (${twin}, ${other})`,
      put: (into) => withFiles(into, { [other]: into.files.get(twin) ?? null }),
    },
    {
      name: 'listed-twice',
      names: naming(twice),
      says: `a picture that is listed twice (${twice})`,
      put: (into) => withList(into, 'train', [...listed(into, 'train'), twice]),
    },
    {
      name: 'absent-class',
      names: new RegExp(ABSENT),
      says: `the class "${ABSENT}" without any picture in train`,
      put: (into) =>
        withDatasetFile(into, (file) => {
          const dir = file.format === 'imagefolder@1' ? { dir: ABSENT } : {};
          return { ...file, classes: [...file.classes, { index: file.classes.length, name: ABSENT, ...dir }] };
        }),
    },
    {
      name: 'empty-split',
      names: /\bval\b/,
      says: 'the split "val" without any picture',
      alone: true,
      put: (into) => withList(into, 'val', []),
    },
  ];
}

type RowEdit = (rows: readonly string[]) => readonly string[];

function yoloFaults(data: TestData): DatasetFault[] {
  const { format, classes } = data.file;
  const row = (name: string, at: number, says: string, edit: RowEdit, line: (rows: number) => number): DatasetFault => {
    const path = annotationOf(data, picture(data, at));
    const rows = linesOf(data.files.get(path) ?? new Uint8Array());
    return {
      name,
      names: naming(path),
      line: line(rows.length),
      says: `${says} (${path}:${line(rows.length)})`,
      put: (into) =>
        withFiles(into, {
          [path]: edit(rows)
            .map((text) => `${text}\n`)
            .join(''),
        }),
    };
  };
  const first = (change: (words: string[]) => string[]): RowEdit => {
    return ([head = '', ...rest]) => [change(head.split(' ')).join(' '), ...rest];
  };
  const set = (at: number, word: string) => first((words) => words.map((was, i) => (i === at ? word : was)));
  const top = (): number => 1;
  const found = [
    row(
      'label-index',
      PICTURE.index,
      `the class ${classes.length + 6} of ${classes.length}`,
      set(0, String(classes.length + 6)),
      top,
    ),
    row('coordinate-range', PICTURE.range, 'a coordinate of 1.5', set(1, '1.5'), top),
    row('number-finite', PICTURE.number, 'a coordinate that is not a number', set(2, 'nan'), top),
    row(
      'column-count',
      PICTURE.columns,
      'a row with too few columns',
      first((words) => words.slice(0, 4)),
      top,
    ),
    row(
      'duplicate-row',
      PICTURE.row,
      'the same row twice',
      ([head = '', ...rest]) => [head, head, ...rest],
      () => 2,
    ),
  ];
  if (format === 'yolo-pose@1') {
    const edit = first((words) => [...words, '0.5', '0.5', '2']);
    found.push(row('keypoint-count', PICTURE.points, 'one keypoint too many', edit, top));
  }
  if (format === 'yolo-detect@1' || format === 'yolo-segment@1') {
    const strange = format === 'yolo-detect@1' ? '0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2' : '0 0.5 0.5 0.2 0.2';
    const edit: RowEdit = (rows) => [...rows, strange];
    found.push(row('mixed-rows', PICTURE.mixed, 'boxes and polygons in one file', edit, (rows) => rows + 1));
  }
  return found;
}

function maskFaults(data: TestData): DatasetFault[] {
  const value = annotationOf(data, picture(data, PICTURE.value));
  const size = annotationOf(data, picture(data, PICTURE.size));
  const edited = (path: string, edit: (mask: ReturnType<typeof decodeMask>) => ReturnType<typeof decodeMask>) =>
    encodeMask(edit(decodeMask(data.files.get(path) ?? new Uint8Array())));
  return [
    {
      name: 'mask-value',
      names: naming(value),
      says: `the value 77 in a mask of ${data.file.classes.length} classes (${value})`,
      put: (into) =>
        withFiles(into, {
          [value]: edited(value, (mask) => ({ ...mask, data: mask.data.map((was, at) => (at < 9 ? 77 : was)) })),
        }),
    },
    {
      name: 'mask-size',
      names: naming(size),
      says: `a mask that is smaller than its picture (${size})`,
      put: (into) =>
        withFiles(into, {
          [size]: edited(size, ({ width, height, data: values }) => ({
            width,
            height: height - 8,
            data: values.slice(0, width * (height - 8)),
          })),
        }),
    },
  ];
}
