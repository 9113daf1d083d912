import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { Problem } from '@trainyard/plugin-sdk';
import { LogShipper } from './ship-log.ts';

const LIMITS = { head: 1000, tail: 100, wait: 1, batchBytes: 128 };

/** Keeps bytes as the hub does: by offset, each once. */
class Journal {
  bytes = Buffer.alloc(0);
  async log(_stream: string, offset: number, bytes: Uint8Array): Promise<number> {
    if (offset > this.bytes.length) throw new Problem('log-gap', { extra: { acked: this.bytes.length } });
    this.bytes = Buffer.concat([this.bytes, bytes.subarray(this.bytes.length - offset)]);
    return this.bytes.length;
  }
}

async function ship(journal: Journal, whole: Buffer, piece: number): Promise<LogShipper> {
  const shipper = new LogShipper(journal, 'stdout', journal.bytes.length, LIMITS);
  for (let at = 0; at < whole.length; at += piece) shipper.push(at, whole.subarray(at, at + piece));
  await shipper.finish();
  return shipper;
}

describe('a log on its way to the hub', () => {
  for (const size of [0, 1, 999, 1000, 1001, 1100, 1101, 5000]) {
    test(`${size} bytes: head and tail arrive, what is left out is counted`, async () => {
      const whole = randomBytes(size);
      const journal = new Journal();
      const shipper = await ship(journal, whole, 77);
      if (size <= 1100) assert.deepEqual(journal.bytes, whole);
      else {
        assert.deepEqual(journal.bytes.subarray(0, 1000), whole.subarray(0, 1000));
        assert.deepEqual(journal.bytes.subarray(-100), whole.subarray(-100));
        assert.ok(journal.bytes.toString('latin1').includes(`[${size - 1100} bytes were left out here`));
      }
      assert.equal(shipper.droppedBytes, Math.max(0, size - 1100));
    });
  }

  test('a restart at any acknowledged offset gives the same bytes', async () => {
    const whole = randomBytes(3000);
    const full = new Journal();
    await ship(full, whole, 500);
    for (const acked of [0, 1, 500, 999, 1000, 1001, full.bytes.length]) {
      const journal = new Journal();
      journal.bytes = Buffer.from(full.bytes.subarray(0, acked));
      await ship(journal, whole, 333);
      assert.deepEqual(journal.bytes, full.bytes, `from ${acked}`);
    }
  });
});
