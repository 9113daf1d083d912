import type { WaitReason } from '@trainyard/plugin-sdk/api';
import { query, type Queryable } from '../platform/sql.ts';
import { explainWait, type WaitFacts } from './explain-wait.ts';

interface Row {
  id: string;
  kind: string;
  state: string;
  hold: string | null;
  device: string | null;
  ahead: number;
  back_off: number;
  created_at: Date;
  phase: string | null;
  sentence: string | null;
  silent: number;
  agents: WaitFacts['agents'] | null;
}

export interface JobStatus {
  readonly state: string;
  readonly waiting: WaitReason | null;
  readonly phase: string | null;
  readonly sentence: string | null;
  readonly progress: number | null;
  readonly live: { stages: unknown[]; findings: unknown[] } | null;
}

/** Status of jobs by id; facts are read in one statement. */
export async function readJobStatus(on: Queryable, jobs: readonly string[]): Promise<Map<string, JobStatus>> {
  if (jobs.length === 0) return new Map();
  const rows = await query<Row & { progress: number | null; live: JobStatus['live'] }>(
    on,
    `select j.id, j.kind, j.state, j.hold, j.spec->'device'->>'kind' as device, j.created_at,
       case when j.state = 'queued' then (select count(*) from job o where o.state = 'queued' and (o.hold is null or (o.hold = 'approval' and j.hold = 'approval')) and o.kind = j.kind and (o.priority, j.created_at) > (j.priority, o.created_at))::int else 0 end as ahead,
       greatest(0, extract(epoch from j.not_before - now()))::float8 as back_off,
       a.phase, a.sentence, a.progress, a.live, greatest(0, extract(epoch from now() - a.lease_expires_at))::float8 as silent,
       (select json_agg(json_build_object('id', g.id, 'kinds', g.kinds,
          'devices', (select coalesce(json_agg(d->>'kind'), '[]') from jsonb_array_elements(g.offers) f, jsonb_array_elements(f->'devices') d),
          'walled', (select coalesce(bool_and(f->>'wall' <> 'none'), false) from jsonb_array_elements(g.offers) f),
          'silentSeconds', extract(epoch from now() - g.last_seen_at)::float8)) from agent g) as agents
     from job j left join lateral (select * from attempt where job = j.id order by number desc limit 1) a on true where j.id = any($1)`,
    [jobs],
  );
  return new Map(
    rows.map((row) => [
      row.id,
      {
        state: row.state,
        phase: row.phase,
        sentence: row.sentence,
        progress: row.progress,
        live: row.live,
        waiting: explainWait({
          kind: row.kind,
          state: row.state,
          hold: row.hold,
          device: row.device ?? 'cpu',
          ahead: row.ahead,
          backOffSeconds: row.back_off,
          createdAt: row.created_at.toISOString(),
          agents: row.agents ?? [],
          attempt: row.phase === null ? null : { phase: row.phase, sentence: row.sentence, silentSeconds: row.silent },
        }),
      },
    ]),
  );
}
