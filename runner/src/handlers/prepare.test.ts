import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FakeAttempt } from '../testing/fake-attempt.ts';
import { outcomeOf, RunnerBench } from '../testing/runner-for-tests.ts';
import { scriptedPackage, type PackedTrainer } from '../testing/scripted-package.ts';
import { progressOf } from './local-environments.ts';

describe('preparing the environment of a package', () => {
  let bench: RunnerBench;
  before(async () => {
    bench = await RunnerBench.open();
    bench.startRunner();
  });
  after(() => bench.close());

  function enqueue(packed: PackedTrainer, bytes: Buffer = packed.bytes): FakeAttempt {
    const release = { id: 'r', name: '@test/scripted', version: '1.0.0', packageDigest: packed.digest };
    return bench.hub.enqueue({
      spec: { kind: 'prepare', release: { ...release, packageBytes: bytes.length } },
      inputs: new Map([[packed.sha256, bytes]]),
    });
  }

  test('one that needs nothing is ready at once', async () => {
    const attempt = enqueue(await scriptedPackage());
    assert.deepEqual(await outcomeOf(attempt), { state: 'succeeded' });
    assert.equal(attempt.phases[0]?.phase, 'preparing');
  });

  test('a Python that is not there is said in a sentence', async () => {
    const packed = await scriptedPackage((manifest) =>
      manifest.replace(/^local: .*$/m, 'local: { requires: { python: ">=3.99" }, setup: [uv, sync] }'),
    );
    const outcome = await outcomeOf(enqueue(packed));
    assert.equal(outcome.code, 'platform.environment', JSON.stringify(outcome));
    assert.match(outcome.message ?? '', /needs Python >=3\.99/);
    assert.ok((outcome.hint ?? '') !== '');
  });

  test('bytes that are not the package are refused', async () => {
    const outcome = await outcomeOf(enqueue(await scriptedPackage((text) => `${text}# other\n`), Buffer.from('no')));
    assert.equal(outcome.code, 'platform.refused', JSON.stringify(outcome));
  });

  test('progress goes from 0 to 1 over the phases', () => {
    const steps = [
      { phase: 'resolve', done: 0, total: 0 },
      { phase: 'resolve', done: 0, total: 10 },
      { phase: 'download', done: 5, total: 10 },
      { phase: 'install', done: 1, total: 10 },
      { phase: 'install', done: 10, total: 10 },
    ] as const;
    const values = steps.map(progressOf);
    assert.deepEqual(
      values,
      [...values].sort((a, b) => a - b),
    );
    assert.deepEqual([values[0], values.at(-1)], [0, 1]);
  });
});
