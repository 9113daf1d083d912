import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Problem } from '@trainyard/plugin-sdk';
import { EventSequence } from './event-sequence.ts';
import { Rewind } from './observe-execution.ts';
import { EventShipper } from './ship-events.ts';

const RULES = { wait: 1, batchBytes: 500, pendingBytes: 2000 };

function line(seq: number): string {
  return JSON.stringify({ v: 1, seq, ts: '', type: 'log', level: 'info', message: `m${seq}` });
}

/** Stores as the hub does: line i of a batch has seq first + i, only a gap at the end stands for more. */
class Journal {
  next = 1;
  calls = 0;
  most = 0;
  #now = 0;
  async events(first: number, lines: readonly string[]): Promise<number> {
    this.calls += 1;
    this.#now += 1;
    this.most = Math.max(this.most, this.#now);
    await new Promise((resolve) => setImmediate(resolve));
    this.#now -= 1;
    if (first > this.next) throw new Problem('events-gap', { extra: { next: this.next } });
    for (const [index, text] of lines.entries()) {
      const event: unknown = JSON.parse(text);
      assert.ok(event !== null && typeof event === 'object');
      assert.equal(Reflect.get(event, 'seq'), first + index);
      const last = Number(Reflect.get(event, 'to') ?? first + index);
      this.next = Math.max(this.next, last + 1);
    }
    return this.next;
  }
}

async function push(shipper: EventShipper, sequence: EventSequence, seqs: readonly number[]): Promise<void> {
  for (const seq of seqs) for (const event of sequence.accept(line(seq))) if (!event.known) await shipper.push(event);
}

describe('events on their way to the hub', () => {
  test('in batches, one request at a time, holes included', async () => {
    const journal = new Journal();
    const shipper = new EventShipper(journal, RULES);
    const seqs = Array.from({ length: 300 }, (_, index) => index + 1).filter((seq) => seq % 50 !== 7);
    await push(shipper, new EventSequence(), seqs);
    await shipper.drain();
    assert.equal(journal.next, 301);
    assert.equal(journal.most, 1);
    assert.ok(journal.calls < 120, `${journal.calls} calls`);
  });

  test('a journal that wants earlier events makes the reader begin again there', async () => {
    const journal = new Journal();
    const shipper = new EventShipper(journal, RULES);
    const wrong = new EventSequence(5);
    await assert.rejects(
      async () => {
        await push(shipper, wrong, [5, 6]);
        await shipper.drain();
      },
      (error) => error instanceof Rewind && error.next === 1,
    );
    await push(shipper, new EventSequence(1), [1, 2, 3, 4, 5, 6]);
    await shipper.drain();
    assert.equal(journal.next, 7);
  });

  test('a refusal for good reaches the reader', async () => {
    const refusing = { events: () => Promise.reject(new Problem('attempt-superseded')) };
    const shipper = new EventShipper(refusing, RULES);
    await push(shipper, new EventSequence(), [1]);
    await assert.rejects(shipper.drain(), { code: 'attempt-superseded' });
  });
});
