import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TASKS } from '../vocabulary.ts';
import { detectFormat, type Sample } from './detect-format.ts';
import { isDatasetFormat } from './formats/format-table.ts';
import { synthDataset } from './synth/synth-dataset.ts';

function sampleOf(files: Readonly<Record<string, string>>): Sample {
  return (path) => Promise.resolve(files[path] ?? null);
}

test('each format is recognised from what the generator writes, dataset.json aside', async () => {
  for (const task of ['classify', 'detect', 'segment', 'semantic', 'pose', 'obb'] as const)
    for (const format of TASKS[task].datasets.filter(isDatasetFormat)) {
      const { files } = await synthDataset({ task, format, seed: 2, train: 4, val: 2, size: 48 });
      files.delete('dataset.json');
      const found = await detectFormat([...files.keys()], (path) => {
        const bytes = files.get(path);
        return Promise.resolve(bytes === undefined ? null : new TextDecoder().decode(bytes));
      });
      assert.deepEqual([found.format, 'task' in found && found.task], [format, task]);
    }
});

test('names and points come from data.yaml or classes.txt, however they are written', async () => {
  const rows = { 'train/labels/a.txt': '0 0.5 0.5 0.1 0.1\n' };
  for (const [path, text] of [
    ['data.yaml', 'nc: 2\nnames: [bolt, "nut m3"]\n'],
    ['data.yaml', "names:\n  - bolt\n  - 'nut m3'\nnc: 2\n"],
    ['data.yaml', 'names:\n  1: nut m3\n  0: bolt\n'],
    ['classes.txt', 'bolt\nnut m3\n'],
  ] as const) {
    const files = { ...rows, [path]: text };
    const found = await detectFormat([...Object.keys(files), 'train/images/a.jpg'], sampleOf(files));
    assert.deepEqual([found.format, 'classes' in found && found.classes], ['yolo-detect@1', ['bolt', 'nut m3']], text);
  }
  const pose = { 'labels/a.txt': '0 0.5 0.5 0.1 0.1 0.5 0.5 2 0.4 0.4 1\n', 'data.yaml': 'kpt_shape: [2, 3]\n' };
  const found = await detectFormat([...Object.keys(pose), 'images/a.jpg'], sampleOf(pose));
  assert.deepEqual([found.format, 'keypoints' in found && found.keypoints], ['yolo-pose@1', 2]);
});

test('what fits no format says what was seen', async () => {
  const mixed = { 'labels/a.txt': '0 0.5 0.5 0.1 0.1\n0 0.1 0.1 0.5 0.1 0.5 0.5\n' };
  const rows = await detectFormat(['labels/a.txt', 'images/a.jpg'], sampleOf(mixed));
  assert.equal(rows.format, null);
  assert.match(rows.because, /5, 7 columns/);
  const nothing = await detectFormat(['readme.md'], sampleOf({}));
  assert.equal(nothing.format, null);
});
