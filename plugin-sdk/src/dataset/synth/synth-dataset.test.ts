import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TASKS, type DatasetFormat, type TaskId } from '../../vocabulary.ts';
import { decodePng } from '../../trainer/png.ts';
import { checkDataset } from '../check-dataset.ts';
import { sourceFromMap } from '../dataset-source.ts';
import type { Item } from '../labelled-item.ts';
import { isDatasetFormat } from '../formats/format-table.ts';
import { readItems } from '../read-dataset.ts';
import { synthDataset } from './synth-dataset.ts';

const TASK_IDS = ['classify', 'detect', 'segment', 'semantic', 'pose', 'obb'] as const;
const PAIRS = TASK_IDS.flatMap((task) =>
  TASKS[task].datasets.filter(isDatasetFormat).map((format): [TaskId, DatasetFormat] => [task, format]),
);

for (const [task, format] of PAIRS) {
  test(`${task} as ${format} has no problem and every class`, async () => {
    const { files, file } = await synthDataset({ task, format, seed: 3, train: 6, val: 6, size: 64 });
    const facts = await checkDataset(sourceFromMap(files), file);
    assert.deepEqual(facts.findings, []);
    assert.equal(facts.images, 12);
    assert.ok(facts.labels >= 12);
  });
}

test('the class order is not alphabetical for odd seeds', async () => {
  const odd = await synthDataset({ task: 'detect', seed: 1, train: 1, val: 1, size: 48 });
  assert.deepEqual(
    odd.file.classes.map(({ name }) => name),
    ['washer', 'bolt', 'nut'],
  );
  const even = await synthDataset({ task: 'semantic', seed: 2, train: 1, val: 1, size: 48 });
  assert.deepEqual(
    even.file.classes.map(({ name }) => name),
    ['background', 'bolt', 'nut', 'washer'],
  );
});

test('one scene has the same labels in every task', async () => {
  const options = { seed: 5, train: 3, val: 0, size: 64 };
  const [detect, segment] = await Promise.all(
    (['detect', 'segment'] as const).map(async (task) => {
      const { files, file } = await synthDataset({ ...options, task, format: 'coco@1' });
      const items: Item[] = [];
      for await (const item of readItems(sourceFromMap(files), file)) items.push(item);
      return { files, items };
    }),
  );
  assert.deepEqual(detect?.files.get('images/train/0001.png'), segment?.files.get('images/train/0001.png'));
  const classes = [detect, segment].map((one) =>
    one?.items.map((item) => item.labels.map((label) => ('class' in label ? label.class : -1))),
  );
  assert.deepEqual(classes[0], classes[1]);
});

/** Shade and colour of a part must say nothing about its class: the means differ less than their own spread by far. */
test('no class has a colour of its own', async () => {
  const { files, file } = await synthDataset({ task: 'semantic', seed: 7, train: 60, val: 0, size: 48 });
  const means = new Map<number, number[]>();
  for await (const item of readItems(sourceFromMap(files), file)) {
    const picture = decodePng(files.get(item.image) ?? new Uint8Array());
    for (const label of item.labels) {
      if (label.kind !== 'mask') continue;
      for (const value of new Set(label.mask.data)) {
        let [sum, count] = [0, 0];
        label.mask.data.forEach((one, i) => {
          if (one !== value) return;
          sum += picture.pixels[3 * i] ?? 0;
          count += 1;
        });
        means.set(value, [...(means.get(value) ?? []), sum / count]);
      }
    }
  }
  const parts = [1, 2, 3].map((value) => means.get(value) ?? []);
  const average = (list: readonly number[]) => list.reduce((sum, one) => sum + one, 0) / list.length;
  const spread = Math.sqrt(average(parts.flat().map((one) => (one - average(parts.flat())) ** 2)));
  assert.ok(spread > 20, `colours vary: ${spread}`);
  for (const list of parts) assert.ok(Math.abs(average(list) - average(parts.flat())) < spread / 2);
});

/** Kept on purpose: another host, another version of Node, the same bytes. */
test('the same seed gives the same bytes on every host', async () => {
  const digests = [];
  for (const task of ['detect', 'classify', 'semantic'] as const)
    digests.push((await synthDataset({ task, seed: 1, train: 2, val: 1, size: 64 })).file.digest);
  assert.deepEqual(digests, [
    'sha256:de5d253c5c1181ccf6d6022997bf41480224b37435216507eaede87a525c5443',
    'sha256:5a180951fdd78341e11aeabae19fe4a70578e5936bb2e075c19d7e4d8c3a82c4',
    'sha256:7fb34ad85c67ee484dc95261ba0dd6c2d2d93da26813331fe5122cd8e71e577a',
  ]);
});
