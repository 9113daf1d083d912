import { claim, enqueue, openBenchHub } from './support/bench-hub.ts';
import { compare } from './support/rounds.ts';

/** Microseconds per claimed job: one batched claim over HTTP against one transaction per job, both with SKIP LOCKED. */
const JOBS = 100;

const hub = await openBenchHub();
try {
  const { pool } = hub.deps.db;
  await pool.query(
    `create table bench_job (id bigserial primary key, state text not null, spec jsonb, created_at timestamptz default now());
     create index on bench_job (created_at, id) where state = 'queued';
     create table bench_attempt (id uuid primary key default gen_random_uuid(), job bigint, lease timestamptz)`,
  );

  async function batched(): Promise<number> {
    await enqueue(hub, JOBS);
    const begun = performance.now();
    const attempts = await claim(hub, JOBS);
    const spent = performance.now() - begun;
    if (attempts.length !== JOBS) throw new Error(`claimed ${attempts.length} of ${JOBS}`);
    return (spent * 1000) / JOBS;
  }

  async function oneByOne(): Promise<number> {
    await pool.query(`insert into bench_job (state, spec) select 'queued', '{}' from generate_series(1, ${JOBS})`);
    const client = await pool.connect();
    const begun = performance.now();
    try {
      for (let i = 0; i < JOBS; i += 1) {
        await client.query('begin');
        const { rows } = await client.query<{ id: string }>(
          "select id from bench_job where state = 'queued' order by created_at, id limit 1 for update skip locked",
        );
        await client.query("update bench_job set state = 'claimed' where id = $1", [rows[0]?.id]);
        await client.query("insert into bench_attempt (job, lease) values ($1, now() + interval '60 s')", [
          rows[0]?.id,
        ]);
        await client.query('commit');
      }
    } finally {
      client.release();
    }
    return ((performance.now() - begun) * 1000) / JOBS;
  }

  await compare({
    ...{ name: 'claim', unit: 'µs/job', ours: batched, reference: oneByOne },
    ...{ referenceIs: 'one by one', goal: 1 },
  });
} finally {
  await hub.close();
}
