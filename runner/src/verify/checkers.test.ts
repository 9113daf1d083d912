import assert from 'node:assert/strict';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EnvironmentError } from '../environments/python-environment.ts';
import { readLockFile } from '../environments/lock-file.ts';
import { CHECKERS_FOLDER, ensureCheckers, readyCheckers } from './checkers.ts';

test('the checkers are pinned by hash and hold no training framework', async () => {
  const lock = readLockFile(await readFile(join(CHECKERS_FOLDER, 'requirements.lock'), 'utf8'));
  assert.equal(lock.unpinned, null);
  for (const name of ['onnxruntime', 'openvino', 'ncnn', 'torch', 'ai-edge-litert', 'numpy', 'pillow'])
    assert.ok(lock.names.includes(name), name);
  for (const name of ['ultralytics', 'timm', 'transformers', 'torchvision', 'accelerate'])
    assert.ok(!lock.names.includes(name), name);
});

test('nothing is ready in a new home; without network the reason says what to do', { timeout: 120_000 }, async () => {
  const root = await mkdtemp(join(tmpdir(), 'trainyard-checkers-'));
  const before = process.env['UV_OFFLINE'];
  process.env['UV_OFFLINE'] = '1';
  try {
    assert.equal(await readyCheckers(root), null);
    await assert.rejects(ensureCheckers({ root }), (error) => {
      assert.ok(error instanceof EnvironmentError);
      assert.match(error.message, /the export checkers could not be downloaded: no network/);
      assert.match(error.hint, /run: node runner\/src\/verify\/prepare-checkers\.ts$/);
      return true;
    });
    assert.equal(await readyCheckers(root), null);
  } finally {
    if (before === undefined) delete process.env['UV_OFFLINE'];
    else process.env['UV_OFFLINE'] = before;
    await rm(root, { recursive: true, force: true });
  }
});
