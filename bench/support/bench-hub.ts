import { testHub } from '@trainyard/hub/testing';

type BenchHub = Awaited<ReturnType<typeof testHub>>;
export interface OpenAttempt {
  readonly id: string;
  readonly fence: number;
}

/** The real hub over the database of the tests. That one runs without fsync: both sides alike, which flatters a reference with many commits. */
export function openBenchHub(): Promise<BenchHub> {
  return testHub();
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
