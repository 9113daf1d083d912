import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventSequence } from './event-sequence.ts';

function log(seq: number, type = 'log'): string {
  const ts = '2026-01-01T00:00:00Z';
  if (type === 'finished') return JSON.stringify({ v: 1, seq, ts, type, metrics: {}, seconds: 1 });
  return JSON.stringify({ v: 1, seq, ts, type: 'log', level: 'info', message: `m${seq}` });
}

function feed(sequence: EventSequence, lines: readonly string[]): string[] {
  return lines
    .flatMap((line) => sequence.accept(line))
    .map(({ seq, last, event, known }) => `${seq}-${last} ${event.type}${known ? ' known' : ''}`);
}

describe('a sequence of events', () => {
  test('repeats are dropped, holes are claimed by a gap', () => {
    const sequence = new EventSequence();
    assert.deepEqual(feed(sequence, [log(1), log(1), log(4), log(2), log(5)]), [
      '1-1 log',
      '2-3 gap',
      '4-4 log',
      '5-5 log',
    ]);
    assert.equal(sequence.next, 6);
    assert.match(sequence.notes().join(), /2 events repeated/);
  });

  test('from a mark on, what the journal has is handed on as known', () => {
    const lines = [log(1), log(2), log(5), log(6)];
    const whole = feed(new EventSequence(), lines);
    assert.deepEqual(whole, ['1-1 log', '2-2 log', '3-4 gap', '5-5 log', '6-6 log']);
    assert.deepEqual(feed(new EventSequence(6), lines), ['1-1 log known', '2-2 log known', '5-5 log known', '6-6 log']);
    assert.deepEqual(feed(new EventSequence(3), lines).slice(2), ['3-4 gap', '5-5 log', '6-6 log']);
  });

  test('numbers that begin again do not end the run twice', () => {
    const sequence = new EventSequence();
    feed(sequence, [log(1), log(2, 'finished'), log(1), log(2, 'finished')]);
    assert.equal(sequence.terminals, 1);
    feed(sequence, [log(3, 'finished')]);
    assert.equal(sequence.terminals, 2);
  });

  test('a gap from a trainer and other garbage become notes', () => {
    const sequence = new EventSequence();
    const gap = JSON.stringify({ v: 1, seq: 1, ts: '', type: 'gap', from: 1, to: 1e9 });
    assert.deepEqual(feed(sequence, ['{', '[]', gap, JSON.stringify({ v: 2, seq: 1, type: 'log' })]), []);
    assert.equal(sequence.next, 1);
    assert.match(sequence.notes().join(), /4 lines of the event file were no events/);
  });

  test('a flood is thinned, the end still arrives', () => {
    const sequence = new EventSequence(1, { events: 3, bytes: 1e9 });
    const lines = Array.from({ length: 100 }, (_, index) => log(index + 1));
    assert.deepEqual(feed(sequence, [...lines, log(101, 'finished')]), [
      '1-1 log',
      '2-2 log',
      '3-3 log',
      '4-100 gap',
      '101-101 finished',
    ]);
    assert.match(sequence.notes().join(), /97 events were left out/);
  });
});
