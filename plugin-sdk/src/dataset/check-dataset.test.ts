import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDataset } from './check-dataset.ts';
import type { DatasetFile } from './dataset-file.ts';
import { sourceFromMap } from './dataset-source.ts';
import { encodeMask, encodePng8 } from './index-png.ts';
import { readItems } from './read-dataset.ts';
import { DatasetError, type DatasetCheck } from './reading.ts';

/** A picture that differs from every other by its shade. */
function picture(shade: number, width = 20, height = 10): Uint8Array {
  return encodePng8({ width, height, channels: 1, data: new Uint8Array(width * height).fill(shade) });
}

function huge(): Uint8Array {
  const bytes = Buffer.from(picture(2));
  bytes.writeUInt32BE(2 ** 31 - 1, 16);
  return bytes;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const CLASSES: DatasetFile['classes'] = [
  { index: 0, name: 'washer' },
  { index: 1, name: 'bolt' },
];

type Files = Record<string, string | Uint8Array>;

/** Two pictures to learn from and one to check with, all fine; `change` breaks it. */
function dataset(
  format: string,
  task: string,
  annotations: Files,
  change: Files = {},
  more: Partial<DatasetFile> = {},
) {
  const ending = format === 'coco@1' ? '.json' : '';
  const folder = format === 'coco@1' ? 'annotations' : format === 'mask-png@1' ? 'masks' : 'labels';
  const file: DatasetFile = {
    schema: 'dataset@1',
    name: 'parts',
    task,
    format,
    digest: '',
    snapshot: '',
    classes: CLASSES,
    splits: {
      train: { images: 'images/train', annotations: `${folder}/train${ending}`, list: 'train.txt', count: 2 },
      val: { images: 'images/val', annotations: `${folder}/val${ending}`, list: 'val.txt', count: 1 },
    },
    ...more,
  };
  const files: Files = {
    'images/train/a.png': picture(1),
    'images/train/b.png': picture(2),
    'images/val/c.png': picture(3),
    'train.txt': 'images/train/a.png\nimages/train/b.png\n',
    'val.txt': 'images/val/c.png\n',
    ...annotations,
    ...change,
  };
  const bytes = Object.entries(files).map(([path, content]): [string, Uint8Array] => [
    path,
    typeof content === 'string' ? new TextEncoder().encode(content) : content,
  ]);
  return { source: sourceFromMap(new Map(bytes)), file };
}

const BOXES = {
  'labels/train/a.txt': '0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.2 0.2\n',
  'labels/val/c.txt': '0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.2 0.2\n',
};
const RINGS = {
  'labels/train/a.txt': '0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.1 0.1 0.5 0.1 0.5 0.6\n',
  'labels/val/c.txt': '0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.1 0.1 0.5 0.1 0.5 0.6\n',
};
const POSES = {
  'labels/train/a.txt': '0 0.5 0.5 0.2 0.2 0.5 0.5 2 0 0 0\n1 0.5 0.5 0.2 0.2 0.5 0.5 2 0.4 0.4 1\n',
  'labels/val/c.txt': '0 0.5 0.5 0.2 0.2 0.5 0.5 2 0 0 0\n1 0.5 0.5 0.2 0.2 0.5 0.5 2 0.4 0.4 1\n',
};
const KEYPOINTS = { keypoints: { names: ['head', 'tip'], flipIndex: [0, 1] } };

function mask(fill: number, width = 20, height = 10): Uint8Array {
  const data = new Uint8Array(width * height).fill(fill);
  data[width * 3] = 1;
  data[width * 3 + 1] = 255;
  return encodeMask({ width, height, data });
}
const MASKS = { 'masks/train/a.png': mask(0), 'masks/train/b.png': mask(0), 'masks/val/c.png': mask(0) };

function coco(names: readonly string[], annotations: readonly object[], files = ['a.png', 'b.png']): string {
  const images = files.map((file_name, i) => ({ id: 10 + i, file_name, width: 20, height: 10 }));
  const categories = names.map((name, i) => ({ id: 7 * (i + 1), name }));
  // One entry a line, so that the line in a finding can be told.
  return `{"images":${JSON.stringify(images)},\n"categories":[\n${categories.map((one) => JSON.stringify(one)).join(',\n')}],\n"annotations":[\n${annotations.map((one) => JSON.stringify(one)).join(',\n')}]}`;
}
const TWO = [
  { id: 1, image_id: 10, category_id: 7, bbox: [1, 1, 5, 5] },
  { id: 2, image_id: 10, category_id: 14, bbox: [2, 2, 5, 5] },
];
const COCO = {
  'annotations/train.json': coco(['bolt', 'washer'], TWO),
  'annotations/val.json': coco(['bolt', 'washer'], TWO, ['c.png']),
};

test('a dataset without a problem has none, in each format', async () => {
  for (const { source, file } of [
    dataset('yolo-detect@1', 'detect', BOXES),
    dataset('yolo-segment@1', 'segment', RINGS),
    dataset('yolo-pose@1', 'pose', POSES, {}, KEYPOINTS),
    dataset('coco@1', 'detect', COCO),
    dataset('mask-png@1', 'semantic', MASKS),
  ]) {
    const facts = await checkDataset(source, file);
    assert.deepEqual(facts.findings, [], file.format);
    assert.equal(facts.images, 3);
  }
});

interface Case {
  readonly name: string;
  readonly made: ReturnType<typeof dataset>;
  readonly check: DatasetCheck;
  readonly file: string;
  readonly line?: number;
  readonly severity?: string;
}

function yolo(name: string, check: DatasetCheck, rows: string, line: number): Case {
  const made = dataset('yolo-detect@1', 'detect', BOXES, { 'labels/train/b.txt': rows });
  return { name, made, check, file: 'labels/train/b.txt', line };
}

const CASES: readonly Case[] = [
  {
    name: 'missing image',
    made: dataset('yolo-detect@1', 'detect', BOXES, { 'train.txt': 'images/train/a.png\nimages/train/none.png\n' }),
    check: 'dataset-image-missing',
    file: 'train.txt',
    line: 2,
  },
  {
    name: 'undecodable image',
    made: dataset('yolo-detect@1', 'detect', BOXES, { 'images/train/b.png': picture(2).subarray(0, 40) }),
    check: 'dataset-image-undecodable',
    file: 'train.txt',
    line: 2,
  },
  {
    name: 'a header that claims a huge picture',
    made: dataset('yolo-detect@1', 'detect', BOXES, { 'images/train/b.png': huge() }),
    check: 'dataset-image-undecodable',
    file: 'train.txt',
    line: 2,
  },
  yolo('label index', 'dataset-label-index', '0 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1\n', 2),
  yolo('negative coordinate', 'dataset-coordinate-range', '0 -0.5 0.5 0.1 0.1\n', 1),
  yolo('coordinate above one', 'dataset-coordinate-range', '\n0 0.5 1.5 0.1 0.1\n', 2),
  yolo('non-finite number', 'dataset-number-finite', '0 nan 0.5 0.1 0.1\n', 1),
  yolo('wrong column count', 'dataset-column-count', '0 0.5 0.5 0.1\n', 1),
  yolo('duplicate row', 'dataset-duplicate-row', '0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1\n0 0.5  0.5 0.1 0.1\n', 3),
  yolo('mixed rows', 'dataset-mixed-rows', '0 0.5 0.5 0.1 0.1\n0 0.1 0.1 0.5 0.1 0.5 0.5\n', 2),
  {
    name: 'mixed rows among polygons',
    made: dataset('yolo-segment@1', 'segment', RINGS, {
      'labels/train/b.txt': '0 0.1 0.1 0.5 0.1 0.5 0.5\n0 0.5 0.5 0.1 0.1\n',
    }),
    check: 'dataset-mixed-rows',
    file: 'labels/train/b.txt',
    line: 2,
  },
  {
    name: 'mask value',
    made: dataset('mask-png@1', 'semantic', MASKS, { 'masks/train/b.png': mask(2) }),
    check: 'dataset-mask-value',
    file: 'masks/train/b.png',
    line: 1,
  },
  {
    name: 'mask size',
    made: dataset('mask-png@1', 'semantic', MASKS, { 'masks/train/b.png': mask(0, 10, 20) }),
    check: 'dataset-mask-size',
    file: 'masks/train/b.png',
  },
  {
    name: 'COCO category without class',
    made: dataset('coco@1', 'detect', COCO, { 'annotations/train.json': coco(['bolt', 'washer', 'nail'], TWO) }),
    check: 'dataset-category-unknown',
    file: 'annotations/train.json',
    line: 5,
  },
  {
    name: 'COCO box outside',
    made: dataset('coco@1', 'detect', COCO, {
      'annotations/train.json': coco(
        ['bolt', 'washer'],
        [...TWO, { image_id: 11, category_id: 7, bbox: [1, 1, 50, 5] }],
      ),
    }),
    check: 'dataset-coordinate-range',
    file: 'annotations/train.json',
    line: 8,
  },
  {
    name: 'class absent from train',
    made: dataset('yolo-detect@1', 'detect', BOXES, { 'labels/train/a.txt': '0 0.5 0.5 0.1 0.1\n' }),
    check: 'dataset-class-absent',
    file: 'dataset.json',
    severity: 'error',
  },
  {
    name: 'class absent from val',
    made: dataset('yolo-detect@1', 'detect', BOXES, { 'labels/val/c.txt': '0 0.5 0.5 0.1 0.1\n' }),
    check: 'dataset-class-absent',
    file: 'dataset.json',
    severity: 'warning',
  },
  {
    name: 'empty split',
    made: dataset('yolo-detect@1', 'detect', BOXES, { 'val.txt': '' }),
    check: 'dataset-split-empty',
    file: 'val.txt',
  },
  {
    name: 'split overlap',
    made: dataset('yolo-detect@1', 'detect', BOXES, { 'images/val/c.png': picture(2) }),
    check: 'dataset-split-overlap',
    file: 'val.txt',
    line: 1,
  },
  {
    name: 'keypoint count',
    made: dataset('yolo-pose@1', 'pose', POSES, { 'labels/train/b.txt': '0 0.5 0.5 0.2 0.2 0.5 0.5 2\n' }, KEYPOINTS),
    check: 'dataset-keypoint-count',
    file: 'labels/train/b.txt',
    line: 1,
  },
];

for (const { name, made, check, file, line, severity = 'error' } of CASES) {
  test(`found, and nothing else: ${name}`, async () => {
    const { findings } = await checkDataset(made.source, made.file);
    assert.deepEqual(
      findings.map((finding) => [finding.check, finding.severity, finding.where?.file, finding.where?.line]),
      [[check, severity, file, line]],
    );
    assert.ok((findings[0]?.fix ?? '') !== '');
  });
}

test('who reads without asking for problems gets the first one thrown; a list is cut at its limit', async () => {
  const rows = Array.from({ length: 30 }, (_, i) => `9 0.5 0.5 0.1 0.${i + 10}\n`).join('');
  const { source, file } = dataset('yolo-detect@1', 'detect', BOXES, { 'labels/train/b.txt': rows });
  await assert.rejects(
    all(readItems(source, file)),
    (error) => error instanceof DatasetError && error.finding.where?.line === 1,
  );
  const facts = await checkDataset(source, file, { limit: 10 });
  assert.deepEqual([facts.findings.length, facts.more], [10, 20]);
});

test('COCO categories are matched by name, whatever their ids and order', async () => {
  const { source, file } = dataset('coco@1', 'detect', COCO);
  const [first] = await all(readItems(source, file));
  assert.deepEqual(first?.labels, [
    { kind: 'box', class: 1, box: [1, 1, 6, 6] },
    { kind: 'box', class: 0, box: [2, 2, 7, 7] },
  ]);
});
