import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ended, JobFolder, writeDigits } from '../../reference-trainer/job-folder.ts';
import { digestFolder } from '../trainer/stored-files.ts';

const TEMPLATE = fileURLToPath(new URL('../../templates/node', import.meta.url));
const SDK = fileURLToPath(new URL('../trainer', import.meta.url));

test('what init writes from the Node template learns, stops, resumes, evaluates and predicts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trainyard-template-'));
  cpSync(TEMPLATE, folder, { recursive: true });
  cpSync(SDK, join(folder, 'src/trainer_sdk'), { recursive: true });
  for (const name of ['trainer.yaml', 'package.json', 'README.md']) {
    const text = readFileSync(join(folder, name), 'utf8');
    writeFileSync(
      join(folder, name),
      text.replaceAll('{{name}}', '@me/first').replaceAll('{{title}}', 'First').replaceAll('{{owner}}', 'me'),
    );
  }
  const program = join(folder, 'src/main.ts');
  const job = new JobFolder({ model: 'softmax', trainer: '@me/first@0.1.0', config: { epochs: 60 } }, program);
  writeDigits(job, 2);
  // The template starts from nothing: somebody who gives it weights is told.
  job.write('input/weights/mine/model.safetensors', 'weights');
  const { sha256 } = digestFolder(job.file('input/weights/mine'));
  const child = job.start('train', { weights: { id: 'mine', path: 'input/weights/mine', sha256 } });
  await job.waitFor((event) => event.type === 'checkpoint');
  child.kill('SIGTERM');
  assert.equal((await ended(child)).code, 75);
  const saved = job.events().findLast((event) => event.type === 'checkpoint');
  assert.ok(saved !== undefined);
  const unused = job.events().filter((event) => event.type === 'warning' && event.code === 'x-weights-unused');
  assert.equal(unused.length, 1);
  assert.match(JSON.stringify(unused), /The weights mine were given, but the trainer did not load them/);
  const resumed = await job.run('train', { attempt: 2, resume: { checkpoint: saved.path, step: saved.step } });
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.ok(!job.events().some((event) => event.type === 'warning'), 'it goes on from its checkpoint');
  const finished = job.events().at(-1);
  assert.ok(finished?.type === 'finished' && (finished.metrics['top1'] ?? 0) > 0.85, JSON.stringify(finished));
  const best = job.events().findLast((event) => event.type === 'checkpoint' && event.kinds.includes('last'));
  assert.ok(best?.type === 'checkpoint');
  const checkpoint = job.offer(best);
  for (const command of ['validate', 'evaluate', 'predict']) {
    const result = await job.run(command, { checkpoint, predict: { source: 'dataset/val' } });
    assert.equal(result.code, 0, result.stderr);
  }
  job.remove();
  rmSync(folder, { recursive: true });
});
