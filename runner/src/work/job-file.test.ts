import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VERBS } from '@trainyard/plugin-sdk';
import { buildJobFile, type JobFileInput } from './job-file.ts';

const input: JobFileInput = {
  jobId: 'job',
  attempt: 2,
  command: 'train',
  trainer: '@a/b-c@1.0.0',
  task: 'classify',
  model: 'tiny',
  config: { epochs: 1 },
  configDigest: null,
  seed: 1,
  dataset: { format: 'imagefolder@1', digest: 'sha256:0' },
  device: { kind: 'cpu', count: 1 },
  limits: { cpus: 1, memoryBytes: 1, shmBytes: 0, maxSeconds: 1 },
  grace: 10,
  weights: { id: 'in1k', path: 'input/weights/in1k', sha256: '0' },
  modelArtifact: { path: 'input/model', format: 'onnx' },
  evaluate: { split: 'val' },
  predict: { source: 'input/images' },
  export: { format: 'onnx', precision: 'fp32', dynamic: [], options: {} },
};

describe('job.json', () => {
  const own = {
    describe: [],
    validate: ['dataset'],
    train: ['dataset', 'weights', 'resume'],
    evaluate: ['dataset', 'checkpoint', 'modelArtifact', 'evaluate'],
    predict: ['checkpoint', 'modelArtifact', 'predict'],
    export: ['checkpoint', 'export'],
  };
  for (const command of VERBS) {
    test(`${command} has its own fields and no other`, () => {
      const job = buildJobFile({ ...input, command });
      const special = ['dataset', 'weights', 'resume', 'checkpoint', 'modelArtifact', 'evaluate', 'predict', 'export'];
      assert.deepEqual(
        special.filter((name) => name in job),
        special.filter((name) => own[command].some((known) => known === name)),
      );
      assert.equal(job['command'], command);
      assert.equal(job['attempt'], 2);
    });
  }
});
