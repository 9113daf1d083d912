import { testHub } from '@trainyard/hub/testing';

type BenchHub = Awaited<ReturnType<typeof testHub>>;
export interface OpenAttempt {
  readonly id: string;
  readonly fence: number;
}

/** The real hub over PostgreSQL that writes to disk: the server of the tests does not, so it is told to. */
export async function openBenchHub(): Promise<BenchHub> {
  const hub = await testHub();
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes'])
    await hub.deps.db.pool.query(`alter system set ${setting} = on`);
  await hub.deps.db.pool.query('select pg_reload_conf()');
  return hub;
}

const RELEASE = {
  id: 'bench',
  name: '@bench/bench',
  version: '1.0.0',
  packageDigest: `sha256:${'0'.repeat(64)}`,
  packageBytes: 1,
};

export async function enqueue(hub: BenchHub, count: number): Promise<void> {
  await hub.deps.db.pool.query(
    `insert into job (id, kind, state, subject, organization_id, spec)
     select gen_random_uuid(), 'prepare', 'queued', 'bench', 'bench', $1 from generate_series(1, $2)`,
    [JSON.stringify({ kind: 'prepare', release: RELEASE }), count],
  );
}

/** Claims over the ordinary route, at most 100 a call. */
export async function claim(hub: BenchHub, slots: number): Promise<OpenAttempt[]> {
  const json = { agent: 'runner-1', kinds: ['prepare'], offers: [], slots, waitSeconds: 0, ready: [] };
  const answer = await hub.call('POST', '/api/v1/jobs/claim', { as: hub.agent, json });
  if (answer.statusCode !== 200) throw new Error(answer.body);
  return answer.json<{ attempts: OpenAttempt[] }>().attempts;
}
