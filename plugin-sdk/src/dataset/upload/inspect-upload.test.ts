import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATASET_FORMATS, TASKS, type TaskId } from '../../vocabulary.ts';
import { sourceFromMap } from '../dataset-source.ts';
import { encodeMask, encodePng8 } from '../index-png.ts';
import { synthDataset } from '../synth/synth-dataset.ts';
import { inspectUpload, type Inspection } from './inspect-upload.ts';
import type { UploadWish } from './plan-upload.ts';

type Files = Record<string, string | Uint8Array>;

async function inspect(files: Files, wish: UploadWish = { name: 'x' }): Promise<Inspection> {
  const map = new Map(
    Object.entries(files).map(([path, text]) => [
      path,
      typeof text === 'string' ? new TextEncoder().encode(text) : text,
    ]),
  );
  const found = await inspectUpload([...map.keys()], sourceFromMap(map), wish);
  assert.ok('file' in found, JSON.stringify(found));
  return found;
}

/** A grey picture that no other is equal to. */
let shade = 0;
function picture(width = 8, height = 8): Uint8Array {
  shade += 1;
  const data = new Uint8Array(width * height).fill(shade % 251);
  data[0] = Math.floor(shade / 251);
  return encodePng8({ width, height, channels: 1, data });
}
function said(found: Inspection): string[] {
  return found.findings.map(({ check, where }) =>
    [check, where?.file, where?.line].filter((part) => part !== undefined).join(' '),
  );
}

test('what the generator writes is taken in each format, with and without its dataset.json, inside a folder', async () => {
  const seen = new Set<string>();
  for (const task of Object.keys(TASKS).filter((name): name is TaskId => name in TASKS))
    for (const format of TASKS[task].datasets) {
      seen.add(format);
      const { files, file } = await synthDataset({ task, format, seed: 3, train: 12, val: 6, size: 48 });
      const whole = await inspect(Object.fromEntries(files));
      assert.deepEqual([whole.findings, whole.file.classes], [[], file.classes], `${task} ${format}`);
      const names = file.classes.map(({ name }) => name);
      const bare = Object.fromEntries(
        [...files].filter(([path]) => path !== 'dataset.json').map(([path, bytes]) => [`my set/${path}`, bytes]),
      );
      const found = await inspect({ ...bare, 'my set/classes.txt': `${names.join('\n')}\n` });
      assert.deepEqual([found.file.task, found.file.format], [task, format]);
      assert.deepEqual(found.findings, []);
      assert.deepEqual(
        found.file.classes.map(({ name }) => name),
        names,
      );
      assert.deepEqual([found.file.splits['train']?.count, found.file.splits['val']?.count], [12, 6]);
      assert.deepEqual([found.labels, found.plan.method], [whole.labels, 'given']);
      assert.deepEqual(found.counts, whole.counts);
    }
  assert.deepEqual([...seen].sort(), [...DATASET_FORMATS].sort());
});

test('data.yaml of YOLO beats folders and numbers; layouts of other tools are understood', async () => {
  const rows = '0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.2 0.2\n';
  const roboflow = await inspect({
    'set/data.yaml': 'names: [zebra, ant]\n',
    'set/train/images/a.png': picture(),
    'set/train/labels/a.txt': rows,
    'set/valid/images/b.png': picture(),
    'set/valid/labels/b.txt': rows,
    'set/README.txt': 'hello',
  });
  assert.deepEqual(roboflow.findings, []);
  assert.deepEqual(
    roboflow.file.classes.map(({ name }) => name),
    ['zebra', 'ant'],
  );
  assert.deepEqual([...roboflow.plan.from.keys()].sort(), [
    'images/train/a.png',
    'images/val/b.png',
    'labels/train/a.txt',
    'labels/val/b.txt',
  ]);
  const flat: Files = {};
  for (let n = 0; n < 10; n += 1) Object.assign(flat, { [`images/${n}.png`]: picture(), [`labels/${n}.txt`]: rows });
  const auto = await inspect(flat);
  assert.deepEqual(
    [auto.plan.method, auto.file.splits['train']?.count, auto.file.splits['val']?.count],
    ['auto', 8, 2],
  );
  assert.deepEqual(
    auto.file.classes.map(({ name }) => name),
    ['class_0', 'class_1'],
  );
  assert.deepEqual(
    auto.findings.map(({ severity }) => severity),
    ['warning'],
  );
  const again = await inspect(Object.fromEntries(Object.entries(flat).reverse()));
  assert.deepEqual(again.plan.made, auto.plan.made);
});

function coco(images: string[], extra: object = {}): string {
  return JSON.stringify({
    images: images.map((name, id) => ({ id, file_name: name, width: 8, height: 8 })),
    annotations: images.map((_, id) => ({
      id,
      image_id: id,
      category_id: id % 2 === 0 ? 7 : 3,
      bbox: [1, 1, 4, 4],
      area: 16,
      iscrowd: 0,
      note: id,
    })),
    categories: [
      { id: 7, name: 'ant' },
      { id: 3, name: 'zebra' },
      { id: 0, name: 'things' },
    ],
    ...extra,
  });
}

test('COCO as exporters write it: other names, one file for everything, a category that nothing uses', async () => {
  const split = await inspect({
    'annotations/instances_train2017.json': coco(['1.png', '2.png'], {
      categories: [
        { id: 7, name: 'ant' },
        { id: 3, name: 'zebra' },
      ],
    }),
    'annotations/instances_val2017.json': coco(['3.png', '4.png'], {
      categories: [
        { id: 3, name: 'zebra' },
        { id: 7, name: 'ant' },
      ],
    }),
    'annotations/captions_val2017.json': '{"images":[],"annotations":[]}',
    'train2017/1.png': picture(),
    'train2017/2.png': picture(),
    'val2017/3.png': picture(),
    'val2017/4.png': picture(),
  });
  assert.deepEqual(split.findings, []);
  assert.equal(split.plan.from.get('annotations/train.json'), 'annotations/instances_train2017.json');
  assert.deepEqual(
    split.file.classes.map(({ name }) => name),
    ['zebra', 'ant'],
  );
  const names = Array.from({ length: 10 }, (_, n) => `${n}.png`);
  const one = await inspect({
    'export/result.json': coco(names),
    ...Object.fromEntries(names.map((name) => [`export/images/${name}`, picture()])),
  });
  assert.deepEqual([one.plan.method, one.file.splits['train']?.count, one.labels], ['auto', 8, 10]);
  assert.match(one.findings[0]?.message ?? '', /things/);
  assert.match(one.plan.made.get('annotations/val.json') ?? '', /"note":/);
  const wrong = await inspect({
    'export/result.json': JSON.stringify(JSON.parse(coco(names)), null, 1).replace(
      '"bbox": [\n    1,',
      '"bbox": [\n    99,',
    ),
    ...Object.fromEntries(names.map((name) => [`export/images/${name}`, picture()])),
  });
  const text = wrong.findings.find(({ check }) => check === 'dataset-coordinate-range')?.where;
  assert.deepEqual([text?.file, text?.pointer], ['export/result.json', '/annotations/0']);
  assert.ok((text?.line ?? 0) > 40);
});

test('the person decides where it could be either', async () => {
  const row = '0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n';
  const files = {
    'images/train/a.png': picture(),
    'labels/train/a.txt': row,
    'images/val/b.png': picture(),
    'labels/val/b.txt': row,
  };
  assert.equal((await inspect(files)).file.format, 'yolo-obb@1');
  const other = await inspect(files, { name: 'x', format: 'yolo-segment@1' });
  assert.deepEqual([other.file.format, other.file.task], ['yolo-segment@1', 'segment']);
  assert.equal((await inspect(files, { name: 'x', task: 'segment' })).file.format, 'yolo-segment@1');
});

test('each of the fifteen problems comes with the file that the person has, and its line', async () => {
  const good = '0 0.5 0.5 0.2 0.2\n';
  const base = (): Files => ({
    'd/classes.txt': 'a\nb\n',
    'd/images/train/1.png': picture(),
    'd/labels/train/1.txt': `${good}1 0.5 0.5 0.4 0.4\n`,
    'd/images/val/2.png': picture(),
    'd/labels/val/2.txt': `${good}1 0.5 0.5 0.4 0.4\n`,
  });
  const withRow = (row: string): Files => ({ ...base(), 'd/labels/train/1.txt': `${good}1 0.5 0.5 0.4 0.4\n${row}\n` });
  const masks = (train: Uint8Array): Files => ({
    'classes.txt': 'a\nb\n',
    'images/train/1.png': picture(),
    'masks/train/1.png': train,
    'images/val/2.png': picture(),
    'masks/val/2.png': mask([0, 1]),
  });
  const twin = picture();
  const pose = (points: string): Files => ({
    'data.yaml': 'names: [a]\nkpt_shape: [2, 3]\n',
    'images/train/1.png': picture(),
    'labels/train/1.txt': `0 0.5 0.5 0.2 0.2 0.5 0.5 2 0.4 0.4 1\n0 0.5 0.5 0.3 0.3 ${points}\n`,
    'images/val/2.png': picture(),
    'labels/val/2.txt': '0 0.5 0.5 0.2 0.2 0.5 0.5 2 0.4 0.4 1\n',
  });
  const { files: written } = await synthDataset({ task: 'detect', seed: 1, train: 4, val: 4, size: 48 });
  const noVal: Files = Object.fromEntries(written);
  noVal['val.txt'] = '';
  const list: [string, Files, string][] = [
    [
      'label without picture',
      { ...base(), 'd/labels/train/9.txt': good },
      'dataset-image-missing d/labels/train/9.txt',
    ],
    [
      'COCO picture missing',
      {
        'train.json': coco(['1.png', '2.png']),
        'val.json': coco(['3.png', '4.png']),
        '1.png': picture(),
        '3.png': picture(),
        '4.png': picture(),
      },
      'dataset-image-missing train.json 1',
    ],
    [
      'cut off',
      { ...base(), 'd/images/train/3.png': picture().subarray(0, 40) },
      'dataset-image-undecodable d/images/train/3.png',
    ],
    ['index', withRow('2 0.5 0.5 0.1 0.1'), 'dataset-label-index d/labels/train/1.txt 3'],
    ['range', withRow('0 0.5 1.5 0.1 0.1'), 'dataset-coordinate-range d/labels/train/1.txt 3'],
    ['number', withRow('0 0.5 nan 0.1 0.1'), 'dataset-number-finite d/labels/train/1.txt 3'],
    ['columns', withRow('0 0.5 0.5 0.1'), 'dataset-column-count d/labels/train/1.txt 3'],
    ['mixed', withRow('0 0.1 0.1 0.5 0.1 0.5 0.5'), 'dataset-mixed-rows d/labels/train/1.txt 3'],
    ['twice', withRow('0 0.5 0.5 0.2 0.2'), 'dataset-duplicate-row d/labels/train/1.txt 3'],
    ['mask value', masks(mask([0, 1, 9])), 'dataset-mask-value masks/train/1.png 1'],
    ['mask size', masks(mask([0, 1], 4)), 'dataset-mask-size masks/train/1.png'],
    [
      'category',
      {
        'train.json': coco(['1.png', '2.png'], {
          categories: [
            { id: 7, name: 'ant' },
            { id: 3, name: 'zebra' },
          ],
        }),
        'val.json': coco(['3.png', '4.png'], {
          categories: [
            { id: 7, name: 'ant' },
            { id: 3, name: 'cow' },
          ],
        }),
        '1.png': picture(),
        '2.png': picture(),
        '3.png': picture(),
        '4.png': picture(),
      },
      'dataset-category-unknown val.json 1',
    ],
    ['absent', { ...base(), 'd/classes.txt': 'a\nb\nc\n' }, 'dataset-class-absent dataset.json'],
    ['empty', noVal, 'dataset-split-empty val.txt'],
    [
      'overlap',
      { ...base(), 'd/images/train/t.png': twin, 'd/images/val/t.png': twin },
      'dataset-split-overlap d/images/val/t.png',
    ],
    ['points', pose('0.5 0.5 2'), 'dataset-keypoint-count labels/train/1.txt 2'],
  ];
  for (const [what, files, wanted] of list) {
    const found = await inspect(files);
    assert.ok(said(found).includes(wanted), `${what}: ${JSON.stringify(found.findings)}`);
    assert.ok(found.findings.every(({ message, fix }) => message !== '' && fix !== ''));
  }
});

function mask(values: readonly number[], side = 8): Uint8Array {
  const data = new Uint8Array(side * side);
  values.forEach((value, at) => void (data[at] = value));
  return encodeMask({ width: side, height: side, data });
}

test('equal pictures stay on one side when nobody divided them', async () => {
  const files: Files = {};
  for (let n = 0; n < 10; n += 1) {
    const bytes = picture();
    Object.assign(files, { [`a/${n}.png`]: bytes, [`a/copy-${n}.png`]: bytes, [`b/${n}.png`]: picture() });
  }
  assert.deepEqual((await inspect(files)).findings, []);
});
