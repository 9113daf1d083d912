import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkDataset } from './check-dataset.ts';
import { convertDataset } from './convert.ts';
import { sourceFromFolder, sourceFromMap } from './dataset-source.ts';
import { synthDataset } from './synth/synth-dataset.ts';
import { sinkToFolder } from './writing.ts';

test('a folder is checked like a map, converted beside it, and its pictures are linked, not copied', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dataset-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  const { files, file } = await synthDataset({ task: 'detect', seed: 1, train: 3, val: 3, size: 48 });
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(from, path)), { recursive: true });
    await writeFile(join(from, path), bytes);
  }
  const source = sourceFromFolder(from);
  assert.deepEqual(await checkDataset(source, file), await checkDataset(sourceFromMap(files), file));

  const options = { to: { task: 'detect', format: 'coco@1' } } as const;
  const { file: coco } = await convertDataset(source, file, sinkToFolder(to, from), options);
  const path = 'images/train/0001.png';
  assert.equal((await stat(join(to, path))).ino, (await stat(join(from, path))).ino);
  assert.deepEqual(JSON.parse(await readFile(join(to, 'dataset.json'), 'utf8')), coco);
  assert.deepEqual((await checkDataset(sourceFromFolder(to), coco)).findings, []);
});

test('a list never reaches outside its folder', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dataset-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'inside'));
  await writeFile(join(folder, 'secret.png'), 'secret');
  const source = sourceFromFolder(join(folder, 'inside'));
  for (const path of ['../secret.png', join(folder, 'secret.png'), 'a/../../secret.png', '']) {
    assert.equal(await source.read(path), null);
    assert.equal(await source.ends(path), null);
    assert.equal(await source.digest(path), null);
  }
});
