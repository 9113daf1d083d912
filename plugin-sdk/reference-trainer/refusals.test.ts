import assert from 'node:assert/strict';
import { cpSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { failurePrefixOf } from '../src/exit-codes.ts';
import { listAt, textAt } from '../src/trainer/json-value.ts';
import { JobFolder, writeDataset, writeDigits } from './job-folder.ts';

const good = new JobFolder({ config: { epochs: 1 } });
let saved: { id: string; path: string; sha256: string; step: number };

before(async () => {
  writeDigits(good, 12);
  assert.equal((await good.run('train')).code, 0);
  const found = good.events().find((event) => event.type === 'checkpoint');
  assert.ok(found !== undefined);
  saved = found;
});
after(() => good.remove());

/** Runs a copy of the good job with something wrong and returns its `failed` event. */
async function refusal(
  command: string,
  fields: Readonly<Record<string, unknown>>,
  exit: number,
  spoil: (job: JobFolder) => void = () => {},
): Promise<{ code: string; hint: string }> {
  const job = new JobFolder({ config: { epochs: 1 } });
  cpSync(good.path, job.path, { recursive: true });
  rmSync(job.file('output'), { recursive: true });
  spoil(job);
  const result = await job.run(command, fields);
  const last = job.events().at(-1);
  job.remove();
  assert.equal(result.code, exit, result.stderr);
  assert.ok(last?.type === 'failed', 'the last event is failed');
  assert.equal(last.code.split('.')[0], failurePrefixOf(exit));
  return { code: last.code, hint: last.hint ?? '' };
}

test('a wrong config is 78 and names the key', async () => {
  for (const [config, key, code] of [
    [{ epochs: 0 }, 'epochs', 'config.invalid'],
    [{ batch: '32' }, 'batch', 'config.invalid'],
    [{ image_size: 30 }, 'image_size', 'config.invalid'],
    [{ epohcs: 3 }, 'epochs', 'config.unknown_key'],
    [{ eval_metric: 'map50' }, 'eval_metric', 'config.invalid'],
  ] as const) {
    for (const command of ['train', 'validate']) {
      const found = await refusal(command, { config }, 78);
      assert.equal(found.code, code);
      assert.match(found.hint, new RegExp(key));
    }
  }
});

test('what the manifest does not list is 69 and the nearest known word is named', async () => {
  const model = await refusal('train', { model: 'mlp-smal' }, 69);
  assert.equal(model.code, 'unsupported.model');
  assert.match(model.hint, /mlp-small/);
  assert.equal((await refusal('train', { task: 'detect' }, 69)).code, 'unsupported.task');
  assert.equal((await refusal('train', { device: { kind: 'cuda', count: 1 } }, 69)).code, 'unsupported.device');
  const checkpoint = { path: saved.path, sha256: saved.sha256 };
  const asked = (format: string, precision: string): Record<string, unknown> => ({
    checkpoint,
    export: { format, precision, dynamic: [], options: {} },
  });
  assert.equal((await refusal('export', asked('tflite', 'fp32'), 69)).code, 'unsupported.format');
  assert.equal((await refusal('export', asked('onnx', 'int8'), 69)).code, 'unsupported.precision');
});

test('a checkpoint that is missing, cut off or of another job is 66', async () => {
  const missing = await refusal(
    'evaluate',
    { checkpoint: { path: 'input/checkpoint/none', sha256: saved.sha256 } },
    66,
  );
  assert.equal(missing.code, 'input.checkpoint_missing');
  const checkpoint = { path: saved.path, sha256: saved.sha256 };
  const cut = await refusal('evaluate', { checkpoint }, 66, (job) =>
    truncateSync(job.file(`${saved.path}/weights.safetensors`), 900),
  );
  assert.equal(cut.code, 'input.digest_mismatch');
  const unsigned = { path: saved.path, sha256: null };
  await refusal('predict', { checkpoint: unsigned, predict: { source: 'dataset/val' } }, 66, (job) =>
    truncateSync(job.file(`${saved.path}/weights.safetensors`), 900),
  );
  const resume = { checkpoint: saved.path, step: saved.step };
  const half = await refusal('train', { resume }, 66, (job) => truncateSync(job.file(`${saved.path}/state.json`), 10));
  assert.equal(half.code, 'input.digest_mismatch');
  const other = await refusal('train', { resume, configDigest: `sha256:${'e'.repeat(64)}` }, 66);
  assert.equal(other.code, 'input.checkpoint_incompatible');
  const weights = { id: 'in1k', path: 'input/weights/in1k', sha256: 'a'.repeat(64) };
  assert.equal((await refusal('train', { weights }, 66)).code, 'input.weights_missing');
});

test('a bad dataset is 65 and the path is named', async () => {
  const corrupt = await refusal('validate', {}, 65, (job) => job.write('dataset/train/0/0000.png', 'no picture'));
  assert.equal(corrupt.code, 'dataset.corrupt_image');
  assert.match(corrupt.hint, /train\/0\/0000\.png/);
  const gone = await refusal('validate', {}, 65, (job) => rmSync(job.file('dataset/train/0/0000.png')));
  assert.equal(gone.code, 'dataset.missing');
  for (const command of ['validate', 'train']) {
    const classes = [{ name: 'zero', dir: '0' }];
    const empty = await refusal(command, {}, 65, (job) =>
      writeDataset(job, classes, { train: ['train/0/0000.png'], val: [] }),
    );
    assert.equal(empty.code, 'dataset.empty_split');
  }
  const strange = [{ name: 'zero', dir: 'zero' }];
  const lists = { train: ['train/0/0000.png'], val: ['train/0/0000.png'] };
  assert.equal(
    (await refusal('train', {}, 65, (job) => writeDataset(job, strange, lists))).code,
    'dataset.class_mismatch',
  );
  assert.equal(
    (await refusal('train', { dataset: { path: 'nowhere', format: 'imagefolder@1' } }, 65)).code,
    'dataset.missing',
  );
  assert.equal((await refusal('train', { dataset: { path: 'dataset', format: 'coco@1' } }, 65)).code, 'dataset.format');
});

test('a corrupt picture is only a warning in train', async () => {
  const job = new JobFolder({ config: { epochs: 1 } });
  writeDigits(job, 12);
  job.write('dataset/train/0/0000.png', 'no picture');
  assert.equal((await job.run('train')).code, 0);
  assert.ok(job.events().some((event) => event.type === 'warning' && event.code === 'images_skipped'));
  job.remove();
});

test('another contract or another command is 64', async () => {
  assert.equal((await refusal('train', { contract: '2.0' }, 64)).code, 'usage.contract');
  const job = new JobFolder();
  writeDigits(job, 12);
  const child = await job.run('train', { contract: undefined });
  assert.equal(child.code, 64);
  job.remove();
});

test('a full disk is 74', { skip: process.platform !== 'linux' }, async () => {
  const job = new JobFolder({ config: { epochs: 1 } });
  writeDigits(job, 12);
  job.write('output/none', '');
  symlinkSync('/dev/full', job.file('output/events.jsonl'));
  assert.equal((await job.run('train')).code, 74);
  job.remove();
});

test('validate writes all problems it finds', async () => {
  const job = new JobFolder();
  writeDigits(job, 12);
  job.write('dataset/train/0/0000.png', 'no picture');
  rmSync(job.file('dataset/train/1'), { recursive: true });
  const result = await job.run('validate');
  assert.equal(result.code, 65);
  const problems = listAt(job.json('output/validation.json'), 'problems');
  assert.ok(problems.length > 5);
  assert.deepEqual(
    new Set(problems.map((problem) => textAt(problem, 'code'))),
    new Set(['dataset.corrupt_image', 'dataset.missing']),
  );
  assert.deepEqual(JSON.parse(result.stdout), job.json('output/validation.json'));
  job.remove();
});
