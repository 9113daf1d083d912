import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { PrepareJobSpec } from '@trainyard/plugin-sdk';
import { HubClient } from '@trainyard/plugin-sdk/client';
import { scaledTimings } from '../config.ts';
import { FakeHub } from '../testing/fake-hub.ts';
import { outcomeOf, until } from '../testing/runner-for-tests.ts';
import { openAttemptRecords } from './attempt-records.ts';
import { hubPortOver, runAgent, SILENT_LOG, SYSTEM_CLOCK, type Handler } from './index.ts';

const spec: PrepareJobSpec = {
  kind: 'prepare',
  release: { id: 'r', name: '@a/b-c', version: '1.0.0', packageDigest: `sha256:${'0'.repeat(64)}`, packageBytes: 1 },
};

/** It renews three times a second: only so is `gone` heard within a test. */
const HEARS_SOON = 0.02;

describe('an agent', () => {
  // One hub each: the last question of an agent that ended may arrive late, and would be given the work of the next test.
  let hub: FakeHub;
  let records: string;
  beforeEach(async () => {
    hub = new FakeHub();
    records = await mkdtemp(join(tmpdir(), 'agent-'));
    await hub.start();
  });
  afterEach(async () => {
    await hub.stop();
    await rm(records, { recursive: true, force: true });
  });

  /** Leases as in use: on a busy machine short ones run out, and nothing here waits for one unless it says so. */
  async function withAgent(handler: Handler, body: () => Promise<void>, leaseScale = 1): Promise<void> {
    const end = new AbortController();
    const running = runAgent(
      {
        hub: hubPortOver(new HubClient({ url: hub.url, token: 'agent-key' })),
        clock: SYSTEM_CLOCK,
        log: SILENT_LOG,
        timings: scaledTimings(leaseScale),
      },
      {
        agent: 'agent-test',
        kinds: ['prepare'],
        slots: 2,
        offers: async () => [],
        ready: async () => [],
        handlers: { prepare: handler },
        records,
      },
      end.signal,
    );
    try {
      await body();
    } finally {
      end.abort('agent-ending');
      await running;
    }
  }

  test('an outcome is reported and cleaning comes after it', async () => {
    const order: string[] = [];
    const attempt = hub.enqueue({ spec });
    await withAgent(
      async (work) => {
        work.whenOver(async () => void order.push(`first ${attempt.outcome?.state}`));
        work.whenOver(async () => void order.push('second'));
        return { state: 'succeeded' };
      },
      async () => {
        await outcomeOf(attempt);
        await until('it cleans', () => order.length === 2);
      },
    );
    assert.deepEqual(order, ['second', 'first succeeded']);
  });

  test('a handler that breaks loses the attempt, not the agent', async () => {
    const [first, second] = [hub.enqueue({ spec }), hub.enqueue({ spec })];
    let calls = 0;
    await withAgent(
      async () => {
        calls += 1;
        if (calls === 1) throw new Error('broken');
        return { state: 'succeeded' };
      },
      async () => {
        const states = [(await outcomeOf(first)).state, (await outcomeOf(second)).state];
        assert.deepEqual(states.sort(), ['lost', 'succeeded']);
      },
    );
  });

  test('never more attempts at once than slots', async () => {
    const attempts = Array.from({ length: 6 }, () => hub.enqueue({ spec }));
    let [now, most, ever] = [0, 0, 0];
    await withAgent(
      async () => {
        now += 1;
        ever += 1;
        most = Math.max(most, now);
        await until('two are at work', () => most >= 2);
        await new Promise((resolve) => setTimeout(resolve, 30));
        now -= 1;
        return { state: 'succeeded' };
      },
      async () => {
        for (const attempt of attempts) await outcomeOf(attempt);
      },
    );
    assert.deepEqual([most, ever], [2, 6]);
  });

  test('an attempt that is offered again gets the new fence and is not done twice', async () => {
    const attempt = hub.enqueue({ spec });
    let calls = 0;
    let go = (): void => undefined;
    await withAgent(
      async () => {
        calls += 1;
        await new Promise<void>((resolve) => (go = resolve));
        return { state: 'succeeded' };
      },
      async () => {
        await until('it is done', () => calls === 1);
        const { fence } = attempt;
        await hub.goAway();
        attempt.state = 'queued';
        await hub.comeBack();
        // Given by the hub is not yet taken by the agent: until then it knows the old fence.
        const taken = async (): Promise<number | undefined> =>
          (await openAttemptRecords(records).list()).find(({ claimed }) => claimed.id === attempt.id)?.claimed.fence;
        await until('it is taken again', async () => attempt.fence !== fence && (await taken()) === attempt.fence);
        go();
        assert.equal((await outcomeOf(attempt)).state, 'succeeded');
        assert.equal(calls, 1);
      },
    );
  });

  test('ended in the middle: the record brings the attempt back, with the execution it remembered', async () => {
    const attempt = hub.enqueue({ spec });
    let waiting = false;
    await withAgent(
      async (work) => {
        await work.remember('execution-1');
        const letGo = new Promise((_, reject) =>
          work.signal.addEventListener('abort', () => reject(new Error('let go'))),
        );
        waiting = true;
        await letGo;
        return { state: 'succeeded' };
      },
      () => until('it remembers', () => waiting),
    );
    assert.equal(attempt.outcome, null);
    let remembered: string | null = null;
    await withAgent(
      async (work) => {
        remembered = work.execution;
        return { state: 'succeeded' };
      },
      async () => {
        assert.equal((await outcomeOf(attempt)).state, 'succeeded');
        await until('the record is removed', async () => (await readdir(records)).length === 0);
      },
    );
    assert.equal(remembered, 'execution-1');
  });

  test('told `gone`: the work hears it, its cleaning runs, nothing is reported', async () => {
    const attempt = hub.enqueue({ spec });
    let [reason, cleaned]: [unknown, boolean] = [null, false];
    await withAgent(
      async (work) => {
        work.whenOver(async () => void (cleaned = true));
        await new Promise<void>((resolve) => work.signal.addEventListener('abort', () => resolve()));
        reason = work.signal.reason;
        return { state: 'succeeded' };
      },
      async () => {
        await until('it runs', () => attempt.state === 'claimed');
        hub.supersede(attempt);
        await until('it cleans', () => cleaned);
      },
      HEARS_SOON,
    );
    assert.equal(reason, 'superseded');
    assert.equal(attempt.outcome, null);
  });
});
