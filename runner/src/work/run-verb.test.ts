import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { extractPackage } from '@trainyard/plugin-sdk/archive';
import { loadBackend, type Backend } from '../backends/index.ts';
import { FINISHED, scriptedPackage, type Step } from '../testing/scripted-package.ts';
import { readTrainerPackage, type TrainerPackage } from './read-package.ts';
import { runVerb, type RunVerbOptions, type RunVerbResult } from './run-verb.ts';

describe('a verb without a hub', () => {
  let root: string;
  let backend: Backend;
  let trainer: TrainerPackage;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'run-verb-'));
    backend = await loadBackend('process', { root: join(root, 'process'), installation: 'test' });
    const packed = await scriptedPackage();
    await writeFile(join(root, 'package.tgz'), packed.bytes);
    await extractPackage(join(root, 'package.tgz'), join(root, 'package'));
    trainer = await readTrainerPackage(join(root, 'package'), packed.digest);
    await mkdir(join(root, 'data'));
    await writeFile(join(root, 'data', 'dataset.json'), '{}');
  });
  after(() => rm(root, { recursive: true, force: true }));

  function run(script: readonly Step[], more: Partial<RunVerbOptions> = {}): Promise<RunVerbResult> {
    return runVerb({
      backend,
      installation: 'test',
      package: trainer,
      environment: null,
      verb: 'train',
      job: {
        task: 'classify',
        model: 'tiny',
        config: { script },
        configDigest: null,
        seed: 1,
        dataset: { folder: join(root, 'data'), format: 'imagefolder@1', digest: `sha256:${'0'.repeat(64)}` },
        device: { kind: 'cpu', count: 1 },
      },
      root,
      signal: new AbortController().signal,
      limits: { cpus: 1, memoryBytes: 1024 ** 3, shmBytes: 0, maxSeconds: 60 },
      grace: 10,
      ...more,
    });
  }

  test('events, output, outcome; only the job folder is left', async () => {
    const seen: string[] = [];
    const result = await run([{ print: 'hello' }, { metric: 1 }, { checkpoint: ['last'] }, FINISHED], {
      onEvent: (event) => seen.push(event.type),
      onOutput: (stream, bytes) => seen.push(`${stream} ${Buffer.from(bytes).toString()}`),
    });
    assert.equal(result.outcome.state, 'succeeded');
    assert.deepEqual(
      result.events.map((event) => event.type),
      ['started', 'metric', 'checkpoint', 'finished'],
    );
    assert.equal(result.stdoutTail, 'hello');
    assert.ok(seen.includes('stdout hello') && seen.includes('finished'));
    assert.ok(existsSync(join(result.jobFolder, 'dataset', 'dataset.json')));
    assert.deepEqual(await backend.find(), []);
  });

  test('a fired signal stops it: 75, and the folder serves the next attempt', async () => {
    const stop = new AbortController();
    const first = await run([{ metric: 1 }, { sleep: 60_000 }], {
      signal: stop.signal,
      stopAs: 'pause',
      onEvent: (event) => event.type === 'metric' && stop.abort(),
    });
    assert.deepEqual(first.outcome, { state: 'stopped', cause: 'cancelled', exit: 75 });
    const second = await run([{ metric: 1 }, FINISHED], { jobFolder: first.jobFolder });
    assert.equal(second.outcome.state, 'succeeded');
  });

  test('an entrypoint that is not there', async () => {
    const manifest = { ...trainer.manifest, entrypoint: ['{package}/nothing'] };
    const result = await run([FINISHED], { package: { folder: trainer.folder, manifest } });
    assert.equal(result.outcome.code, 'platform.start_failed');
  });
});
