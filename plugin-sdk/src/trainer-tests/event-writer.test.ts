import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { parseEventLine } from '../event-lines.ts';
import { EventWriter } from '../trainer/event-writer.ts';
import { objectAt } from '../trainer/json-value.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trainyard-events-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function lines(): { seq: number; type: string; value: unknown }[] {
  const text = readFileSync(join(folder, 'events.jsonl'), 'utf8');
  assert.ok(text.endsWith('\n'));
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const parsed = parseEventLine(line);
      assert.ok(parsed.ok, line);
      return { seq: parsed.event.seq, type: parsed.event.type, value: parsed.event };
    });
}

test('a flood of metrics becomes a few events, and the last value is never lost', () => {
  const writer = new EventWriter(folder);
  for (let step = 0; step <= 5000; step += 1) {
    writer.metric('train', step, step / 100, { loss: 1 / (step + 1) });
    if (step % 100 === 0) writer.metric('val', step, undefined, { top1: step / 5000 });
    writer.progress('step', step, 5000, null);
  }
  writer.end('finished', { metrics: {}, seconds: 1 });
  const all = lines();
  assert.deepEqual(
    all.map((line) => line.seq),
    all.map((_, index) => index + 1),
  );
  const metrics = all.filter((line) => line.type === 'metric').map((line) => line.value);
  assert.ok(metrics.length <= 10, `${metrics.length} metric events`);
  const last = metrics.map((value) => objectAt(value, 'values')).findLast((values) => values?.['loss'] !== undefined);
  assert.equal(last?.['loss'], 1 / 5001);
  const top1 = metrics.map((value) => objectAt(value, 'values')).findLast((values) => values?.['top1'] !== undefined);
  assert.equal(top1?.['top1'], 1);
  assert.equal(all.at(-1)?.type, 'finished');
});

test('values that are no numbers become null and are named', () => {
  const writer = new EventWriter(folder);
  writer.metric('train', 1, 1, { loss: NaN, learning_rate: 0.1, 'x/own': Infinity });
  writer.end('failed', { code: 'diverged.nan', message: 'no number' });
  const metric = lines().find((line) => line.type === 'metric')?.value;
  assert.deepEqual(objectAt(metric, 'values'), { loss: null, learning_rate: 0.1, 'x/own': null });
  assert.deepEqual(metric !== undefined && Reflect.get(Object(metric), 'nonFinite'), ['loss', 'x/own']);
  assert.throws(() => writer.metric('train', 2, 1, { 'Bad Name': 1 }), /metric name/);
});

test('progress never falls, nothing follows the end, and a huge event is replaced by a warning', () => {
  const writer = new EventWriter(folder);
  writer.progress('epoch', 2, 3, 1);
  writer.progress('epoch', 1, 3, 1);
  writer.emit('log', { level: 'info', message: 'x'.repeat(70_000) });
  writer.end('finished', { metrics: {}, seconds: 1 });
  writer.end('failed', { code: 'internal.exception', message: 'late' });
  writer.emit('log', { level: 'info', message: 'late' });
  assert.deepEqual(
    lines().map((line) => line.type),
    ['progress', 'warning', 'finished'],
  );
});
