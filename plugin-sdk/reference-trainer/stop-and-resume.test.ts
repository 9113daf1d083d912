import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { digestFolder, sha256Hex } from '../src/trainer/stored-files.ts';
import { listAt, objectAt, textAt } from '../src/trainer/json-value.ts';
import { ended, JobFolder, writeDigits } from './job-folder.ts';

function weightsOf(job: JobFolder, id: string): string {
  return sha256Hex(readFileSync(job.file(`checkpoints/${id}/weights.safetensors`)));
}

test('SIGTERM inside an epoch saves, and a resume ends exactly where an uninterrupted run ends', async () => {
  const [straight, halted] = [
    new JobFolder({ config: { epochs: 3 } }),
    new JobFolder({ config: { epochs: 3, steps_per_second: 12 } }),
  ];
  writeDigits(straight, 3);
  writeDigits(halted, 3);
  assert.equal((await straight.run('train')).code, 0);
  const total = straight.events().findLast((event) => event.type === 'metric')?.step;

  const child = halted.start('train');
  await halted.waitFor((event) => event.type === 'metric' && event.step > 16);
  const asked = performance.now();
  child.kill('SIGTERM');
  assert.equal((await ended(child)).code, 75);
  assert.ok(performance.now() - asked < 10_000);
  const stopped = halted.events().at(-1);
  assert.ok(stopped?.type === 'stopped' && stopped.reason === 'signal' && stopped.checkpoint !== null);
  const saved = halted.events().findLast((event) => event.type === 'checkpoint');
  assert.equal(saved?.id, stopped.checkpoint);
  assert.ok(saved.step % 15 !== 0, `stopped inside an epoch, at step ${saved.step}`);

  const resumed = await halted.run('train', { attempt: 2, resume: { checkpoint: saved.path, step: saved.step } });
  assert.equal(resumed.code, 0, resumed.stderr);
  const events = halted.events();
  const first = events[0];
  assert.ok(first?.type === 'started' && first.resumedFrom?.step === saved.step);
  const steps = events.flatMap((event) => (event.type === 'metric' ? [event.step] : []));
  assert.ok((steps[0] ?? 0) > saved.step && (steps[0] ?? 0) <= saved.step + 15);
  assert.equal(steps.at(-1), total);
  assert.equal(
    weightsOf(halted, textAt(halted.json('checkpoints/index.json'), 'last') ?? ''),
    weightsOf(straight, 'c-000003'),
  );
  straight.remove();
  halted.remove();
});

test('a stop while the data are read ends at once, with nothing to resume from', async () => {
  const job = new JobFolder();
  writeDigits(job);
  const child = job.start('train');
  await job.waitFor((event) => event.type === 'phase' && event.name === 'prepare');
  child.kill('SIGTERM');
  assert.equal((await ended(child)).code, 75);
  const last = job.events().at(-1);
  assert.ok(last?.type === 'stopped');
  job.remove();
});

test('a small wall limit ends in stopped with reason limit', async () => {
  const limits = { cpus: 1, memoryBytes: 2 ** 29, shmBytes: 0, maxSeconds: 6 };
  const job = new JobFolder({ config: { epochs: 1000, steps_per_second: 20 }, limits });
  writeDigits(job, 3);
  assert.equal((await job.run('train')).code, 75);
  const last = job.events().at(-1);
  assert.ok(last?.type === 'stopped' && last.reason === 'limit' && last.checkpoint !== null);
  job.remove();
});

test('killed at any moment: the index loads, its digests match, and a resume works', async () => {
  const job = new JobFolder({ config: { epochs: 400 } });
  writeDigits(job, 12);
  let resume: { checkpoint: string; step: number } | null = null;
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    const child = job.start('train', { attempt, resume });
    const from = resume?.step ?? 0;
    await job.waitFor((event) => event.type === 'checkpoint' && event.step > from);
    // Checkpoints follow one another within milliseconds here, so an arbitrary wait often hits a write.
    await setTimeout(attempt * 23);
    child.kill('SIGKILL');
    assert.equal((await ended(child)).signal, 'SIGKILL');
    const index = job.json('checkpoints/index.json');
    for (const entry of listAt(index, 'history')) {
      assert.equal(digestFolder(job.file(textAt(entry, 'path') ?? '')).sha256, textAt(entry, 'sha256'));
    }
    const last = listAt(index, 'history').at(-1);
    assert.equal(textAt(last, 'id'), textAt(index, 'last'));
    resume = { checkpoint: textAt(last, 'path') ?? '', step: Number(objectAt({ last }, 'last')?.['step']) };
  }
  const child = job.start('train', { attempt: 5, resume });
  await job.waitFor((event) => event.type === 'checkpoint' && event.step > (resume?.step ?? 0));
  child.kill('SIGTERM');
  assert.equal((await ended(child)).code, 75);
  job.remove();
});
