import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Offer, RunJobSpec } from '@trainyard/plugin-sdk';
import { inTransaction } from '../platform/transaction.ts';
import { claimOne } from '../testing/sample-trainer.ts';
import { testHub, type TestHub } from '../testing/test-hub.ts';
import { enqueueJob, releaseHold } from './enqueue-job.ts';
import { readJobStatus } from './read-wait.ts';
import { reapExpired } from './reap-expired.ts';
import { requestStop } from './request-stop.ts';

let hub: TestHub;
before(async () => {
  hub = await testHub();
});
after(() => hub.close());

const DIGEST = `sha256:${'a'.repeat(64)}`;
const SPEC: Omit<RunJobSpec, 'run' | 'kind'> = {
  release: { id: 'r', name: '@a/b', version: '1.0.0', packageDigest: DIGEST, packageBytes: 1 },
  task: 'classify',
  model: 'm',
  config: {},
  configDigest: DIGEST,
  seed: 1,
  dataset: null,
  device: { kind: 'cpu', count: 1 },
  limits: { cpus: 1, memoryBytes: 1, shmBytes: 1, maxSeconds: 10 },
  grace: 1,
  checkpoint: null,
};
let subjects = 0;
type Verb = RunJobSpec['kind'];
async function enqueue(kind: Verb, hold?: string): Promise<{ job: string; subject: string }> {
  const subject = `subject-${++subjects}`;
  const job = await inTransaction(hub.deps.db, (tx) =>
    enqueueJob(tx, {
      spec: { ...SPEC, kind, run: subject },
      subject,
      organizationId: 'o',
      ...(hold === undefined ? {} : { hold }),
    }),
  );
  return { job, subject };
}
async function post(path: string, json: unknown, agent = 'runner-1'): Promise<{ status: number; code: string }> {
  const answer = await hub.call('POST', `/api/v1/${path}`, { as: await hub.agentKey(agent), json });
  return { status: answer.statusCode, code: answer.body === '' ? '' : String(answer.json().code) };
}
async function jobState(job: string): Promise<string> {
  const { rows } = await hub.deps.db.pool.query<{ state: string }>('select state from job where id = $1', [job]);
  return rows[0]?.state ?? 'absent';
}
async function claim(agent: string, kinds: string[], slots: number, offers: readonly Offer[] = []) {
  const answer = await hub.call('POST', '/api/v1/jobs/claim', {
    as: await hub.agentKey(agent),
    json: { agent, kinds, offers, slots, waitSeconds: 0, ready: [] },
  });
  return answer.json<{ attempts: { id: string; job: string; fence: number; needsWall: boolean }[] }>().attempts;
}

test('agents that claim at once never get the same job', async () => {
  for (let i = 0; i < 60; i++) await enqueue('train');
  const taken: string[] = [];
  async function work(agent: string): Promise<void> {
    for (;;) {
      const attempts = await claim(agent, ['train'], 3);
      if (attempts.length === 0) return;
      taken.push(...attempts.map((attempt) => attempt.job));
    }
  }
  await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(work));
  assert.equal(taken.length, 60);
  assert.equal(new Set(taken).size, 60);
});

test('an attempt whose lease ran out is lost; the next has a greater fence and the old one can store nothing', async () => {
  const { job } = await enqueue('evaluate');
  const first = await claimOne(hub, 'evaluate');
  assert.equal(await reapExpired(hub.deps), 0, 'a lease that runs is left alone');
  await hub.deps.db.pool.query(`update attempt set lease_expires_at = now() - interval '1 hour' where id = $1`, [
    first.id,
  ]);
  assert.equal(await reapExpired(hub.deps), 1);
  assert.equal(await jobState(job), 'queued');
  await hub.deps.db.pool.query('update job set not_before = now() where id = $1', [job]);
  const second = await claimOne(hub, 'evaluate');
  assert.ok(second.fence > first.fence);
  assert.equal(second.number, 2);
  const line = JSON.stringify({ v: 1, seq: 1, ts: 't', type: 'metric', step: 1, split: 'train', values: { loss: 1 } });
  const file = { path: 'a.bin', sha256: 'b'.repeat(64), bytes: 1 };
  const artifact = { kind: 'plot', path: 'a.bin', mediaType: 'x/y', sha256: file.sha256, files: [file], meta: {} };
  for (const fence of [first.fence, first.fence + 1000]) {
    for (const [path, body] of [
      ['events', { firstSeq: 1, lines: [line] }],
      ['artifacts', artifact],
      ['begin', { execution: 'x' }],
      ['phase', { phase: 'running' }],
      ['finish', { outcome: { state: 'succeeded' } }],
    ] as const) {
      const answer = await post(`attempts/${first.id}/${path}`, { fence, ...body });
      assert.deepEqual(answer, { status: 409, code: 'attempt-superseded' }, path);
    }
  }
  assert.equal(await hub.count('metric_segment where attempt = $1', [first.id]), 0);
  assert.equal(await hub.count('artifact where attempt = $1', [first.id]), 0);
  assert.equal(await jobState(job), 'claimed');
});

test('fifty finishes at once record one outcome, and the same answer is given to all who say the same', async () => {
  const { job } = await enqueue('predict');
  const attempt = await claimOne(hub, 'predict');
  const url = `attempts/${attempt.id}/finish`;
  const same = await Promise.all(
    Array.from({ length: 50 }, () => post(url, { fence: attempt.fence, outcome: { state: 'succeeded' } })),
  );
  assert.deepEqual(new Set(same.map((answer) => answer.status)), new Set([204]));
  const other = await post(url, { fence: attempt.fence, outcome: { state: 'failed', code: 'internal.exception' } });
  assert.deepEqual(other, { status: 409, code: 'attempt-superseded' });
  assert.equal(await jobState(job), 'succeeded');
});

test('a second execution is refused before it starts; the first may say it again', async () => {
  await enqueue('predict');
  const { id, fence } = await claimOne(hub, 'predict');
  assert.equal((await post(`attempts/${id}/begin`, { fence, execution: 'one' })).status, 204);
  assert.equal((await post(`attempts/${id}/begin`, { fence, execution: 'one' })).status, 204);
  assert.equal((await post(`attempts/${id}/begin`, { fence, execution: 'two' })).code, 'attempt-superseded');
});

test('a stop before the claim cancels; one that waits for approval is not given out', async () => {
  const held = await enqueue('export', 'approval');
  assert.equal((await claim('a', ['export'], 1)).length, 0);
  await inTransaction(hub.deps.db, (tx) => releaseHold(tx, [held.subject], 'approval'));
  await inTransaction(hub.deps.db, (tx) => requestStop(tx, hub.deps.followers, held.job, { what: 'cancel', grace: 1 }));
  assert.equal(await jobState(held.job), 'cancelled');
  assert.equal((await claim('a', ['export'], 1)).length, 0);
});

test('what waits for approval is given to a runner with a wall, and to no other; the sentence says which is here', async () => {
  const sentence = async (job: string): Promise<string> =>
    (await readJobStatus(hub.deps.db.pool, [job])).get(job)?.waiting?.sentence ?? '';
  const offer = (wall: Offer['wall']): Offer => ({
    ...{ backend: 'process', wall, devices: [], cpus: 1, memoryBytes: 1, pythons: [], nodes: [], notes: [] },
  });
  const held = await enqueue('evaluate', 'approval');
  const other = await enqueue('evaluate', 'approval');
  assert.match(await sentence(held.job), /^Waiting for a runner with a wall/);
  assert.equal((await claim('open', ['evaluate'], 2, [offer('none')])).length, 0);
  assert.match(await sentence(held.job), /approve this package: only a runner without a wall is here/);
  assert.equal((await claim('mixed', ['evaluate'], 2, [offer('none'), offer('userns')])).length, 0);
  assert.equal((await claim('walled', ['evaluate'], 0, [offer('userns')])).length, 0);
  assert.equal(await sentence(held.job), 'Next in the queue.');
  assert.equal(await sentence(other.job), 'One job is ahead.');
  const given = await claim('walled', ['evaluate'], 2, [offer('userns')]);
  assert.deepEqual(
    given.map(({ job }) => job),
    [held.job, other.job],
  );
  assert.deepEqual(new Set(given.map(({ needsWall }) => needsWall)), new Set([true]));

  // Started again without its wall, the runner gives it back: it waits as before and costs no try.
  const [first] = given;
  const outcome = { state: 'stopped', cause: 'preempted' };
  assert.equal((await post(`attempts/${first?.id}/finish`, { fence: first?.fence, outcome }, 'walled')).status, 204);
  assert.equal((await claim('walled', ['evaluate'], 2, [offer('none')])).length, 0);
  await inTransaction(hub.deps.db, (tx) => releaseHold(tx, [held.subject], 'approval'));
  const [again] = await claim('walled', ['evaluate'], 2, [offer('none')]);
  assert.deepEqual([again?.job, again?.needsWall], [held.job, false]);
});

test('a stop of a running job arrives in the stream of signals and with the renewal', async () => {
  const { job } = await enqueue('export');
  const attempt = await claimOne(hub, 'export', 'runner-9');
  const url = await hub.listen();
  const live = await fetch(`${url}/api/v1/agents/runner-9/signals`, {
    headers: (await hub.agentKey('runner-9')).headers,
    signal: AbortSignal.timeout(10_000),
  });
  await inTransaction(hub.deps.db, (tx) => requestStop(tx, hub.deps.followers, job, { what: 'pause', grace: 3 }));
  let text = '';
  for await (const part of live.body ?? []) {
    text += Buffer.from(part).toString();
    if (text.includes('data:')) break;
  }
  assert.deepEqual(JSON.parse(/data: (.*)/.exec(text)?.[1] ?? ''), {
    attempt: attempt.id,
    stop: { what: 'pause', grace: 3 },
  });
  const renewed = await hub.call('POST', '/api/v1/leases/renew', {
    as: await hub.agentKey('runner-9'),
    json: {
      agent: 'runner-9',
      attempts: [
        { attempt: attempt.id, fence: attempt.fence },
        { attempt: attempt.id, fence: attempt.fence + 7 },
      ],
    },
  });
  assert.equal(renewed.json().attempts[0].answer, 'stop');
});

test('an attempt that its agent forgot is lost at its next renewal; tries are limited', async () => {
  const { job } = await enqueue('export');
  let rounds = 0;
  for (; rounds < 20 && (await jobState(job)) === 'queued'; rounds++) {
    await hub.deps.db.pool.query('update job set not_before = now() where id = $1', [job]);
    const attempt = await claimOne(hub, 'export', 'runner-7');
    await hub.deps.db.pool.query(`update attempt set started_at = now() - interval '1 hour' where id = $1`, [
      attempt.id,
    ]);
    assert.equal((await post('leases/renew', { agent: 'runner-7', attempts: [] }, 'runner-7')).status, 200);
  }
  assert.equal(await jobState(job), 'failed');
  assert.ok(rounds > 1 && rounds < 20, String(rounds));
});

test('NUL bytes and broken characters in what an agent says are stored, not refused', async () => {
  const { job } = await enqueue('predict');
  const { id, fence } = await claimOne(hub, 'predict');
  const message = 'a\u0000b\ud800c';
  assert.equal((await post(`attempts/${id}/phase`, { fence, phase: 'running', sentence: message })).status, 204);
  assert.equal(
    (await post(`attempts/${id}/finish`, { fence, outcome: { state: 'failed', code: 'config.invalid', message } }))
      .status,
    204,
  );
  const { rows } = await hub.deps.db.pool.query<{ message: string }>(
    `select outcome->>'message' as message from job where id = $1`,
    [job],
  );
  assert.equal(rows[0]?.message, 'a\uFFFDb\uFFFDc');
});
