import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { RunJobSpec, StoredArtifact } from '@trainyard/plugin-sdk';
import type { FakeAttempt } from '../testing/fake-attempt.ts';
import { digitsSnapshot, referencePackage } from '../testing/reference-package.ts';
import { outcomeOf, RunnerBench } from '../testing/runner-for-tests.ts';

const CONFIG = { epochs: 2, batch: 32 };

describe('the reference trainer carried out for a hub', () => {
  let bench: RunnerBench;
  let packed: Awaited<ReturnType<typeof referencePackage>>;
  let data: Awaited<ReturnType<typeof digitsSnapshot>>;
  let trained: FakeAttempt;
  before(async () => {
    [packed, data, bench] = await Promise.all([referencePackage(), digitsSnapshot(8), RunnerBench.open()]);
    bench.startRunner();
  });
  after(() => bench.close());

  function enqueue(part: Partial<RunJobSpec>, more: ReadonlyMap<string, Uint8Array> = new Map()): FakeAttempt {
    const spec: RunJobSpec = {
      kind: 'train',
      run: 'run-1',
      release: {
        id: 'release-1',
        name: '@trainyard/reference',
        version: '1.0.0',
        packageDigest: packed.digest,
        packageBytes: packed.bytes.length,
      },
      task: 'classify',
      model: 'mlp-small',
      config: CONFIG,
      configDigest: `sha256:${'c'.repeat(64)}`,
      seed: 42,
      dataset: { snapshot: 'snap_1', digest: data.digest, format: 'imagefolder@1', task: 'classify' },
      device: { kind: 'cpu', count: 1 },
      limits: { cpus: 1, memoryBytes: 1024 ** 3, shmBytes: 0, maxSeconds: 300 },
      grace: 10,
      checkpoint: null,
      ...part,
    };
    const inputs = new Map<string, Uint8Array>([[packed.sha256, packed.bytes], ...more]);
    return bench.hub.enqueue({ spec, inputs, ...(spec.dataset === null ? {} : { snapshot: data.bytes }) });
  }

  /** The best checkpoint of the training, as the hub would name it. */
  function checkpoint(): { stored: StoredArtifact; bytes: Map<string, Uint8Array> } {
    const found = trained.artifacts.filter((artifact) => artifact.kind === 'checkpoint').at(-1);
    assert.ok(found !== undefined);
    const bytes = new Map(
      found.files.map((file) => [file.sha256, bench.hub.blobs.get(file.sha256) ?? Buffer.alloc(0)]),
    );
    return { stored: { id: 'a', name: 'c', ...found, files: [...found.files] }, bytes };
  }

  test('train', async () => {
    trained = enqueue({});
    const outcome = await outcomeOf(trained, 60);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
    const kinds = new Set(trained.artifacts.map((artifact) => artifact.kind));
    for (const kind of ['checkpoint', 'metrics', 'config'])
      assert.ok(kinds.has(kind), `${kind} in ${[...kinds].join()}`);
    assert.equal(notesOf(outcome.result), undefined);
  });

  test('evaluate', async () => {
    const { stored, bytes } = checkpoint();
    const attempt = enqueue({ kind: 'evaluate', checkpoint: stored, evaluate: { split: 'val' } }, bytes);
    const outcome = await outcomeOf(attempt, 60);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
    assert.ok(attempt.artifacts.some((artifact) => artifact.kind === 'metrics'));
  });

  test('predict', async () => {
    const { stored, bytes } = checkpoint();
    const images = data.pictures.slice(0, 3).map((picture) => {
      const sha256 = createHash('sha256').update(picture.bytes).digest('hex');
      bytes.set(sha256, picture.bytes);
      return { path: picture.path.replaceAll('/', '-'), bytes: picture.bytes.length, sha256 };
    });
    const attempt = enqueue(
      { kind: 'predict', checkpoint: stored, dataset: null, predict: { images, topK: 3 } },
      bytes,
    );
    const outcome = await outcomeOf(attempt, 60);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
    const predictions = attempt.artifacts.find((artifact) => artifact.kind === 'predictions');
    assert.ok(predictions !== undefined);
    const text = bench.hub.blobs.get(predictions.sha256)?.toString() ?? '';
    assert.equal(text.trim().split('\n').length, 3);
  });

  test('export: verified by the runner', async () => {
    const { stored, bytes } = checkpoint();
    const attempt = enqueue(
      {
        kind: 'export',
        checkpoint: stored,
        dataset: null,
        export: { format: 'onnx', precision: 'fp32', dynamic: [], options: {} },
      },
      bytes,
    );
    const outcome = await outcomeOf(attempt, 90);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
    const exported = attempt.artifacts.find((artifact) => artifact.kind === 'export');
    const parity: unknown = exported?.meta['parity'];
    assert.ok(parity !== null && typeof parity === 'object');
    assert.equal(Reflect.get(parity, 'passed'), true, JSON.stringify(parity));
    assert.equal(Reflect.get(parity, 'by'), 'runner');
    assert.ok(Number(Reflect.get(parity, 'maxAbs')) < 1e-3);
  });
});

function notesOf(result: unknown): unknown {
  return result !== null && typeof result === 'object' ? Reflect.get(result, 'notes') : undefined;
}
