import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { streamRun } from '../runs/stream-run.ts';
import { addDigits, claimOne, publishReference } from '../testing/sample-trainer.ts';
import { testHub, type TestHub } from '../testing/test-hub.ts';
import { readSeriesOf } from './read-series.ts';
import { sealSeries } from './seal-series.ts';

let hub: TestHub;
let dataset: string;
before(async () => {
  hub = await testHub();
  await publishReference(hub);
  dataset = await addDigits(hub, 'trainyard');
});
after(() => hub.close());

async function newAttempt(): Promise<{ run: string; id: string; fence: number }> {
  const me = await hub.call('GET', '/api/v1/me', { as: hub.admin });
  assert.equal(me.statusCode, 200);
  const started = await hub.call('POST', '/api/v1/runs', {
    as: hub.admin,
    json: { verb: 'train', trainer: 'trainyard/reference', dataset },
  });
  assert.equal(started.statusCode, 201, started.body);
  const attempt = await claimOne(hub, 'train');
  return { run: String(started.json().id), id: attempt.id, fence: attempt.fence };
}
function lines(from: number, to: number, split = 'train'): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) =>
    JSON.stringify({
      v: 1,
      seq: from + i,
      ts: 't',
      type: 'metric',
      step: from + i,
      split,
      values: { loss: 1 / (from + i) },
    }),
  );
}
async function send(attempt: { id: string; fence: number }, firstSeq: number, text: string[]) {
  const answer = await hub.call('POST', `/api/v1/attempts/${attempt.id}/events`, {
    as: hub.agent,
    json: { fence: attempt.fence, firstSeq, lines: text },
  });
  return { status: answer.statusCode, body: answer.json() };
}
async function points(id: string, width = 4000) {
  return (await readSeriesOf(hub.deps.db.pool, [id], width, null)).series;
}

test('duplicates and overlaps are dropped, a gap is refused with the number that is missing', async () => {
  const attempt = await newAttempt();
  assert.deepEqual((await send(attempt, 1, lines(1, 10))).body, { next: 11 });
  assert.deepEqual((await send(attempt, 1, lines(1, 10))).body, { next: 11 });
  assert.deepEqual((await send(attempt, 6, lines(6, 15))).body, { next: 16 });
  const gap = await send(attempt, 20, lines(20, 21));
  assert.equal(gap.status, 409);
  assert.equal(gap.body.code, 'events-gap');
  assert.equal(gap.body.next, 16);
  assert.deepEqual((await send(attempt, 1, [])).body, { next: 16 });
  const [series] = await points(attempt.id);
  assert.deepEqual(
    series?.points.map((point) => point[0]),
    Array.from({ length: 15 }, (_, i) => i + 1),
  );
});

test('a batch that cannot be stored does not fail its neighbours', async () => {
  const [a, b] = [await newAttempt(), await newAttempt()];
  const answers = await Promise.all([
    send(a, 1, lines(1, 5)),
    send({ id: 'no-uuid', fence: 1 }, 1, lines(1, 5)),
    send({ ...b, fence: b.fence + 99 }, 1, lines(1, 5)),
    send(b, 1, ['garbage']),
    send(b, 1, lines(1, 7)),
  ]);
  assert.deepEqual(
    answers.map((answer) => answer.status),
    [200, 409, 409, 400, 200],
  );
});

test('NUL, half characters and text that only looks like an escape are stored', async () => {
  const attempt = await newAttempt();
  const event = { v: 1, seq: 1, ts: 't', type: 'warning', code: 'nan_recovered', message: 'a\u0000b \ud800 C:\\u0000' };
  assert.deepEqual((await send(attempt, 1, [JSON.stringify(event)])).body, { next: 2 });
  const { rows } = await hub.deps.db.pool.query<{ message: string }>(
    `select body->>'message' as message from attempt_event where attempt = $1`,
    [attempt.id],
  );
  assert.equal(rows[0]?.message, 'a\uFFFDb \uFFFD C:\\u0000');
});

test('log bytes are taken once by offset; invalid UTF-8 and NUL are shown as replacement', async () => {
  const attempt = await newAttempt();
  async function log(offset: number, body: Buffer) {
    const answer = await hub.call(
      'POST',
      `/api/v1/attempts/${attempt.id}/log?fence=${attempt.fence}&stream=stdout&offset=${offset}`,
      {
        as: hub.agent,
        body,
        headers: { 'content-type': 'application/octet-stream' },
      },
    );
    return { status: answer.statusCode, body: answer.json() };
  }
  assert.deepEqual((await log(0, Buffer.from('hello '))).body, { acked: 6 });
  assert.deepEqual((await log(0, Buffer.from('hello '))).body, { acked: 6 });
  assert.deepEqual((await log(3, Buffer.from('lo you'))).body, { acked: 9 });
  assert.equal((await log(50, Buffer.from('x'))).body.code, 'log-gap');
  assert.deepEqual((await log(9, Buffer.from([0, 0xff, 0x41]))).body, { acked: 12 });
  const text = await hub.call('GET', `/api/v1/runs/${attempt.run}/log`, { as: hub.admin });
  assert.equal(
    text
      .json()
      .chunks.map((chunk: { text: string }) => chunk.text)
      .join(''),
    'hello you\uFFFD\uFFFDA',
  );
});

test('a curve is the same before and after the seal, and a short one beside a long one keeps its points', async () => {
  const attempt = await newAttempt();
  const all = [...lines(1, 5000), ...lines(5001, 5010, 'val')];
  for (let at = 0; at < all.length; at += 500) await send(attempt, at + 1, all.slice(at, at + 500));
  const open = await points(attempt.id);
  await sealSeries(hub.deps, attempt.id, false);
  assert.deepEqual(await points(attempt.id), open, 'full chunks sealed, the rest open');
  await sealSeries(hub.deps, attempt.id, true);
  const sealed = await points(attempt.id);
  assert.deepEqual(
    sealed.map((series) => [series.split, series.count]),
    [
      ['train', 5000],
      ['val', 10],
    ],
  );
  assert.ok((await hub.count('metric_chunk')) >= 3);
  const thin = await points(attempt.id, 100);
  assert.equal(thin[1]?.points.length, 10);
  assert.ok((thin[0]?.points.length ?? 0) >= 50);
  assert.equal(Math.min(...(thin[0]?.points ?? []).map((point) => point[2] ?? 9)), 1 / 5000);
});

test('a live stream shows every point once across seals, also the very first one', async () => {
  const attempt = await newAttempt();
  const before = await readSeriesOf(hub.deps.db.pool, [attempt.id], 100, null);
  assert.equal(before.cursor, '0', 'no segment is there, so none may be skipped');
  const stop = new AbortController();
  let seen: number[] = [];
  const watching = (async () => {
    for await (const { data } of streamRun(
      hub.deps,
      { kind: 'system' },
      { run: attempt.run, after: before.cursor, log: false },
      stop.signal,
    )) {
      if (data.type === 'reset') {
        const [series] = await points(attempt.id);
        seen = (series?.points ?? []).map((point) => point[0]);
      }
      if (data.type === 'metric')
        seen.push(
          ...data.points.map((point) => point[2]).filter((step) => !seen.includes(step) || seen.push(-step) < 0),
        );
    }
  })();
  for (let seq = 1; seq <= 400; seq += 40) {
    await send(attempt, seq, lines(seq, seq + 39));
    if (seq % 80 === 1) await sealSeries(hub.deps, attempt.id, false);
  }
  await hub.call('POST', `/api/v1/attempts/${attempt.id}/finish`, {
    as: hub.agent,
    json: { fence: attempt.fence, outcome: { state: 'succeeded' } },
  });
  await sealSeries(hub.deps, attempt.id, true);
  const timer = setTimeout(() => stop.abort(), 15_000);
  await watching;
  clearTimeout(timer);
  assert.deepEqual(
    seen,
    Array.from({ length: 400 }, (_, i) => i + 1),
  );
});
