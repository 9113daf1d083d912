import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { scriptedSnapshot } from '../testing/scripted-package.ts';
import { BadDataset, openDatasetStore } from './dataset-store.ts';

describe('the store of datasets', () => {
  const { digest, bytes } = scriptedSnapshot();
  const { signal } = new AbortController();
  let root: string;
  let downloads = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'datasets-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function* pieces(whole: Buffer): AsyncIterable<Uint8Array> {
    downloads += 1;
    for (let at = 0; at < whole.length; at += 100) yield whole.subarray(at, at + 100);
  }
  const download = async () => pieces(bytes);

  test('downloaded once, placed as links to the same bytes, also side by side', async () => {
    const store = openDatasetStore(join(root, 'store'));
    await Promise.all(['a', 'b'].map((name) => store.place(digest, download, join(root, name), signal)));
    await store.place(digest, download, join(root, 'c'), signal);
    assert.equal(downloads, 1);
    const [first, second] = await Promise.all(['a', 'c'].map((name) => stat(join(root, name, 'images', 'a.png'))));
    assert.equal(first?.ino, second?.ino);
    assert.deepEqual((await readdir(join(root, 'a'))).sort(), ['dataset.json', 'images']);
  });

  test('bytes that a trainer changed through its link never reach the next job', async () => {
    const store = openDatasetStore(join(root, 'store'));
    const file = join(root, 'a', 'images', 'a.png');
    await chmod(file, 0o644);
    await writeFile(file, 'poisoned');
    const before = downloads;
    await store.place(digest, download, join(root, 'd'), signal);
    assert.equal(downloads, before + 1);
    assert.equal(await readFile(join(root, 'd', 'images', 'a.png'), 'utf8'), 'not really a picture a');
  });

  test('other bytes than the digest says are refused, and leave nothing', async () => {
    const store = openDatasetStore(join(root, 'other'));
    const wrong = `sha256:${'1'.repeat(64)}`;
    await assert.rejects(store.place(wrong, download, join(root, 'e'), signal), BadDataset);
    assert.deepEqual(await readdir(join(root, 'other')), []);
  });

  test('a download that breaks off is begun again', async () => {
    const store = openDatasetStore(join(root, 'cut'));
    let tries = 0;
    const breaking = async () => pieces(++tries === 1 ? bytes.subarray(0, bytes.length - 40) : bytes);
    await store.place(digest, breaking, join(root, 'f'), signal);
    assert.equal(tries, 2);
  });
});
