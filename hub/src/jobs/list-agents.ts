import type { listAgents as listAgentsRoute } from '@trainyard/plugin-sdk/api';
import { query, type Queryable } from '../platform/sql.ts';
import { readJobStatus } from './read-wait.ts';

type Output = NonNullable<(typeof listAgentsRoute)['types']>['output'];

export async function listAgents(deps: { db: Queryable }): Promise<Output> {
  const agents = await query<{
    id: string;
    kinds: string[];
    offers: Output['agents'][number]['offers'];
    slots: number;
    last_seen_at: Date;
    busy: number;
    silent: number;
  }>(
    deps.db,
    `select g.*, (select count(*)::int from attempt a where a.agent = g.id and a.ended_at is null) as busy, extract(epoch from now() - last_seen_at)::float8 as silent from agent g order by id`,
  );
  const jobs = await query<{ id: string; kind: string; state: string; subject: string; created_at: Date }>(
    deps.db,
    `select id, kind, state, subject, created_at from job where ended_at is null order by created_at limit 200`,
  );
  const status = await readJobStatus(
    deps.db,
    jobs.map((job) => job.id),
  );
  return {
    agents: agents.map((agent) => ({
      id: agent.id,
      kinds: agent.kinds,
      offers: agent.offers,
      slots: agent.slots,
      busy: agent.busy,
      lastSeenAt: agent.last_seen_at.toISOString(),
      state: agent.silent < 60 ? 'online' : 'offline',
    })),
    jobs: jobs.map((job) => ({
      id: job.id,
      kind: job.kind,
      state: job.state,
      subject: job.subject,
      createdAt: job.created_at.toISOString(),
      sentence: status.get(job.id)?.waiting?.sentence ?? status.get(job.id)?.sentence ?? 'Running.',
    })),
  };
}
