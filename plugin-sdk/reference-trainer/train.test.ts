import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { digestFolder } from '../src/trainer/stored-files.ts';
import { listAt, numberAt, objectAt, textAt } from '../src/trainer/json-value.ts';
import { JobFolder, writeDigits, type Ended } from './job-folder.ts';

const job = new JobFolder({ config: { epochs: 4 } });
let result: Ended;

before(async () => {
  writeDigits(job);
  result = await job.run('train');
});
after(() => job.remove());

test('it learns the digits', () => {
  assert.equal(result.code, 0, result.stderr);
  const finished = job.events().at(-1);
  assert.equal(finished?.type, 'finished');
  assert.ok((finished.metrics['top1'] ?? 0) >= 0.9, `top1 is ${finished.metrics['top1']}`);
  assert.equal(finished.best?.metric.value, finished.metrics['top1']);
});

test('its events keep the grammar', () => {
  const events = job.events();
  assert.deepEqual(
    events.map((event) => event.seq),
    events.map((_, index) => index + 1),
  );
  assert.equal(events[0]?.type, 'started');
  const terminal = events.filter((event) => ['finished', 'stopped', 'failed'].includes(event.type));
  assert.deepEqual(terminal, [events.at(-1)]);
  const open: string[] = [];
  let [step, current] = [0, 0];
  for (const event of events) {
    if (event.type === 'phase' && event.state === 'begin') open.push(event.name);
    if (event.type === 'phase' && event.state === 'end') assert.equal(open.pop(), event.name);
    if (event.type === 'metric') {
      assert.ok(event.step >= step, 'steps never fall');
      step = event.step;
    }
    if (event.type === 'progress') {
      assert.ok(event.current >= current, 'progress never falls');
      current = event.current;
    }
  }
  assert.deepEqual(open, []);
  assert.ok(events.some((event) => event.type === 'usage'));
  assert.equal(current, 4);
});

test('every declared metric appears and no other', () => {
  const seen = new Set(job.events().flatMap((event) => (event.type === 'metric' ? Object.keys(event.values) : [])));
  const declared = ['f1', 'images_per_second', 'learning_rate', 'loss', 'precision', 'recall', 'top1', 'top5'];
  assert.deepEqual([...seen].sort(), declared);
  const losses = job
    .events()
    .filter((event) => event.type === 'metric' && event.split === 'train' && 'loss' in event.values);
  // Coalesced to ten a second, so a fast machine shows fewer of them; the last step is always told.
  assert.ok(losses.length >= 1);
  const steps = job
    .events()
    .flatMap((event) => (event.type === 'metric' && event.split === 'train' ? [event.step] : []));
  const last = losses.at(-1);
  assert.ok(last !== undefined && 'step' in last && last.step === Math.max(...steps));
});

test('the checkpoint index holds: digests match, last and best are there, nothing is left over', () => {
  const index = job.json('checkpoints/index.json');
  const history = listAt(index, 'history');
  const names = readdirSync(job.file('checkpoints')).sort();
  assert.deepEqual(names, [...history.map((entry) => textAt(entry, 'id') ?? ''), 'index.json'].sort());
  for (const entry of history) {
    const found = digestFolder(job.file(textAt(entry, 'path') ?? ''));
    assert.equal(found.sha256, textAt(entry, 'sha256'));
    assert.deepEqual(found.files, listAt(entry, 'files'));
  }
  assert.ok(names.includes(textAt(index, 'last') ?? '-'));
  assert.ok(names.includes(textAt(index, 'best') ?? '-'));
});

test('it says what became of every config key', () => {
  const values = objectAt(job.json('output/config.effective.json'), 'values') ?? {};
  const schema: unknown = JSON.parse(readFileSync(new URL('config.schema.json', import.meta.url), 'utf8'));
  assert.deepEqual(Object.keys(values), Object.keys(objectAt(schema, 'properties') ?? {}));
  const size = objectAt(values, 'image_size');
  assert.deepEqual([size?.['requested'], size?.['effective'], size?.['source']], [null, 16, 'auto']);
  assert.equal(objectAt(values, 'epochs')?.['source'], 'user');
});

test('evaluate repeats what training reported, predict names every picture', async () => {
  const index = job.json('checkpoints/index.json');
  const best = listAt(index, 'history').find((entry) => textAt(entry, 'id') === textAt(index, 'best'));
  const checkpoint = job.offer({ id: textAt(best, 'id') ?? '', sha256: textAt(best, 'sha256') ?? '' });
  const trained = job.events().at(-1);
  const evaluated = await job.run('evaluate', { checkpoint, evaluate: { split: 'val' } });
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const again = job.events().at(-1);
  assert.ok(again?.type === 'finished' && trained?.type === 'finished');
  assert.deepEqual(again.metrics, trained.metrics);
  const report = job.json('output/metrics.json');
  assert.equal(numberAt(objectAt(report, 'primary'), 'value'), again.metrics['top1']);
  assert.equal(listAt(report, 'perClass').length, 10);
  assert.deepEqual(listAt(objectAt(report, 'confusion'), 'labels')[3], 'digit 3');
  const list = readFileSync(job.file('dataset/val.txt'), 'utf8').trim().split('\n');
  assert.deepEqual(predictedImages(), list);

  const predicted = await job.run('predict', { checkpoint, predict: { source: 'dataset/val', topK: 3 } });
  assert.equal(predicted.code, 0, predicted.stderr);
  assert.deepEqual(predictedImages().sort(), list.map((path) => path.replace('val/', '')).sort());
  const first: unknown = JSON.parse(readFileSync(job.file('output/predictions.jsonl'), 'utf8').split('\n')[0] ?? '');
  const scores = listAt(first, 'classes').map((item) => numberAt(item, 'score') ?? -1);
  assert.equal(scores.length, 3);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
});

function predictedImages(): string[] {
  const lines = readFileSync(job.file('output/predictions.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => textAt(JSON.parse(line), 'image') ?? '');
}

test('the same seed gives the same curve, another seed another one', async () => {
  const curves: string[] = [];
  for (const seed of [7, 7, 8]) {
    const other = new JobFolder({ config: { epochs: 2, seed }, seed });
    writeDigits(other, 4);
    assert.equal((await other.run('train')).code, 0);
    const state = other.json('checkpoints/c-000002/state.json');
    curves.push(
      `${digestFolder(other.file('checkpoints/c-000002')).files.find((file) => file.path === 'weights.safetensors')?.sha256} ${numberAt(state, 'step')}`,
    );
    other.remove();
  }
  assert.equal(curves[0], curves[1]);
  assert.notEqual(curves[0], curves[2]);
});
