import { enqueue, claim, openBenchHub } from './support/bench-hub.ts';
import { compare } from './support/rounds.ts';

/** Microseconds per stored metric value: `reportEvents` of the hub against plain INSERTs into the same PostgreSQL. */
const NAMES = ['loss', 'top1', 'top5', 'learning_rate'];
const LINES = 250;
const CALLS = 20;
const ROWS = 1000;

const hub = await openBenchHub();
try {
  await enqueue(hub, 1);
  const [attempt] = await claim(hub, 1);
  if (attempt === undefined) throw new Error('nothing was claimed');
  const { pool } = hub.deps.db;
  await pool.query(
    'create table bench_metric (run text, name text, step bigint, value double precision, at timestamptz)',
  );
  const url = `/api/v1/attempts/${attempt.id}/events`;
  let seq = 1;
  let step = 0;

  function lines(): string[] {
    return Array.from({ length: LINES }, (_, i) => {
      const values = Object.fromEntries(NAMES.map((name, n) => [name, Math.sin(seq + i + n)]));
      return JSON.stringify({
        v: 1,
        seq: seq + i,
        ts: '2026-01-01T00:00:00Z',
        type: 'metric',
        step: seq + i,
        split: 'train',
        values,
      });
    });
  }

  async function throughTheHub(): Promise<number> {
    const batches = Array.from({ length: CALLS }, () => {
      const json = { fence: attempt?.fence, firstSeq: seq, lines: lines() };
      seq += LINES;
      return json;
    });
    const begun = performance.now();
    for (const json of batches) {
      const answer = await hub.call('POST', url, { as: hub.agent, json });
      if (answer.statusCode !== 200) throw new Error(answer.body);
    }
    return ((performance.now() - begun) * 1000) / (CALLS * LINES * NAMES.length);
  }

  async function rowByRow(): Promise<number> {
    const begun = performance.now();
    for (let i = 0; i < ROWS; i += 1) {
      step += 1;
      const values = ['bench', NAMES[i % NAMES.length], step, Math.sin(step)];
      await pool.query({ name: 'row', text: 'insert into bench_metric values ($1, $2, $3, $4, now())', values });
    }
    return ((performance.now() - begun) * 1000) / ROWS;
  }

  async function inBulk(): Promise<number> {
    const begun = performance.now();
    for (let call = 0; call < CALLS; call += 1) {
      const rows = Array.from({ length: LINES * NAMES.length }, (_, i) => i);
      const values = [
        rows.map((i) => NAMES[i % NAMES.length]),
        rows.map((i) => (step += i % 2)),
        rows.map((i) => Math.sin(i)),
      ];
      const text =
        "insert into bench_metric select 'bench', n, s, v, now() from unnest($1::text[], $2::bigint[], $3::float8[]) as u(n, s, v)";
      await pool.query({ name: 'bulk', text, values });
    }
    return ((performance.now() - begun) * 1000) / (CALLS * LINES * NAMES.length);
  }

  const common = { unit: 'µs/value', ours: throughTheHub };
  await compare({ ...common, name: 'ingest', reference: rowByRow, referenceIs: 'one INSERT per value', goal: 0.1 });
  await compare({ ...common, name: 'ingest-bulk', reference: inBulk, referenceIs: 'INSERT of 1,000 values at once' });
} finally {
  await hub.close();
}
