import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { CheckpointStore, type NewCheckpoint } from '../trainer/checkpoint-store.ts';
import { listAt, textAt } from '../trainer/json-value.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trainyard-checkpoints-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function checkpoint(step: number, best: boolean, periodic = false): NewCheckpoint {
  return {
    step,
    epoch: step,
    files: { 'state.json': `{"step":${step}}`, 'deep/w.bin': new Uint8Array(step) },
    format: 'json',
    best,
    periodic,
    configDigest: null,
    datasetDigest: null,
  };
}

test('kept are the last two, the best and the periodic ones', () => {
  const store = new CheckpointStore(folder, null);
  for (const step of [1, 2, 3, 4, 5, 6]) store.write(checkpoint(step, step === 2, step === 3));
  assert.deepEqual(readdirSync(folder).sort(), ['c-000002', 'c-000003', 'c-000005', 'c-000006', 'index.json']);
  const index: unknown = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  assert.deepEqual([textAt(index, 'last'), textAt(index, 'best')], ['c-000006', 'c-000002']);
  assert.deepEqual(
    listAt(index, 'history').map((entry) => listAt(entry, 'kinds')),
    [['best'], ['periodic'], [], ['last']],
  );
});

test('a resume keeps what the index names, removes leftovers and counts on', () => {
  const first = new CheckpointStore(folder, null);
  for (const step of [1, 2, 3]) first.write(checkpoint(step, step === 1));
  mkdirSync(join(folder, '.tmp-c-000004'));
  mkdirSync(join(folder, 'c-000004'));
  writeFileSync(join(folder, 'index.json.tmp'), '{');
  const second = new CheckpointStore(folder, 'c-000003');
  assert.deepEqual(readdirSync(folder).sort(), ['c-000001', 'c-000002', 'c-000003', 'index.json']);
  assert.deepEqual([second.best?.step, second.last?.step], [1, 3]);
  assert.equal(second.write(checkpoint(4, false)).id, 'c-000004');
});

test('a resume without an index keeps the folder it starts from', () => {
  mkdirSync(join(folder, 'c-000007'));
  const store = new CheckpointStore(folder, 'c-000007');
  assert.deepEqual(readdirSync(folder), ['c-000007']);
  assert.equal(store.write(checkpoint(9, true)).id, 'c-000008');
});

test('a fresh start clears what an earlier one left', () => {
  new CheckpointStore(folder, null).write(checkpoint(1, true));
  const store = new CheckpointStore(folder, null);
  assert.deepEqual(readdirSync(folder), []);
  assert.equal(store.last, null);
});

test('a write that fails leaves index and folder as they were', () => {
  const store = new CheckpointStore(folder, null);
  store.write(checkpoint(1, true));
  const before = readFileSync(join(folder, 'index.json'), 'utf8');
  assert.throws(() => store.write({ ...checkpoint(2, false), files: { 'a/b': 'x', a: 'y' } }));
  assert.equal(readFileSync(join(folder, 'index.json'), 'utf8'), before);
  assert.deepEqual(readdirSync(folder).sort(), ['c-000001', 'index.json']);
});
