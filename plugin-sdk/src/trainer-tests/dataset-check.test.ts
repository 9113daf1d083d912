import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { checkDataset } from '../trainer/dataset-check.ts';
import { readDataset } from '../trainer/dataset-folder.ts';
import { encodePng } from '../trainer/png.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trainyard-data-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function picture(seed: number): Uint8Array {
  return encodePng({
    width: 4,
    height: 4,
    channels: 1,
    pixels: Uint8Array.from({ length: 16 }, (_, index) => (index * seed) % 251),
  });
}

function dataset(
  files: Readonly<Record<string, Uint8Array | string>>,
  splits: Readonly<Record<string, readonly string[] | null>>,
): void {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  const entries = Object.entries(splits).map(([split, list]) => {
    if (list !== null) writeFileSync(join(folder, `${split}.txt`), `${list.join('\n')}\n`);
    return [split, list === null ? { images: split } : { images: split, list: `${split}.txt` }];
  });
  const classes = [
    { index: 1, name: 'nut', dir: 'n' },
    { index: 0, name: 'washer', dir: 'w' },
  ];
  writeFileSync(
    join(folder, 'dataset.json'),
    JSON.stringify({ format: 'imagefolder@1', task: 'classify', classes, splits: Object.fromEntries(entries) }),
  );
}

async function codes(): Promise<string[]> {
  const problems = await checkDataset(readDataset(folder), async () => {});
  return problems.map((problem) => `${problem.severity} ${problem.code} ${problem.path ?? ''}`).sort();
}

const GOOD = {
  'train/w/1.png': picture(1),
  'train/n/2.png': picture(2),
  'val/w/3.png': picture(3),
  'val/n/4.png': picture(4),
};
const LISTS = { train: ['train/n/2.png', 'train/w/1.png'], val: ['val/w/3.png', 'val/n/4.png'] };

test('a good dataset has no problem; classes follow dataset.json, samples follow the lists', async () => {
  dataset(GOOD, LISTS);
  assert.deepEqual(await codes(), []);
  const { classes, splits } = readDataset(folder);
  assert.deepEqual(
    classes.map((item) => item.name),
    ['washer', 'nut'],
  );
  assert.deepEqual(splits.get('train'), [
    { path: 'train/n/2.png', label: 1 },
    { path: 'train/w/1.png', label: 0 },
  ]);
});

test('without lists the files on disk are taken', async () => {
  dataset(GOOD, { train: null, val: null });
  assert.deepEqual(await codes(), []);
  assert.equal(readDataset(folder).splits.get('val')?.length, 2);
});

test('every kind of problem is found', async () => {
  dataset(
    { ...GOOD, 'train/w/5.png': 'broken', 'val/w/6.png': picture(1), 'train/x/7.png': picture(7), 'test/w/.keep': '' },
    {
      train: ['train/w/1.png', 'train/w/1.png', 'train/w/5.png', 'train/w/none.png', 'train/x/7.png'],
      val: ['val/w/3.png', 'val/w/6.png'],
      test: [],
    },
  );
  assert.deepEqual(await codes(), [
    'error dataset.class_mismatch train/n',
    'error dataset.class_mismatch train/x/7.png',
    'error dataset.corrupt_image train/w/5.png',
    'error dataset.empty_split test',
    'error dataset.format train/w/1.png',
    'error dataset.missing train/w/none.png',
    'error dataset.split_overlap val/w/6.png',
    'warning class_missing_in_val val/n',
  ]);
});

test('a dataset.json that cannot be used is refused', () => {
  assert.throws(() => readDataset(folder), /no dataset\.json/);
  writeFileSync(
    join(folder, 'dataset.json'),
    '{"format":"imagefolder@1","classes":[{"index":0,"name":"a"},{"index":2,"name":"b"}]}',
  );
  assert.throws(() => readDataset(folder), /numbered 0, 1, 2/);
  writeFileSync(join(folder, 'dataset.json'), '{"format":"coco@1"}');
  assert.throws(() => readDataset(folder), /imagefolder@1|coco@1/);
});
