import type { readLog as readLogRoute, readSeries as readSeriesRoute } from '@trainyard/plugin-sdk/api';
import { readLogOf } from '../journal/read-log.ts';
import { readSeriesOf } from '../journal/read-series.ts';
import type { Principal } from '../platform/principal.ts';
import { query } from '../platform/sql.ts';
import type { RunDeps } from './deps.ts';
import { attemptsOf, requireRun } from './read-run.ts';

type SeriesReply = NonNullable<(typeof readSeriesRoute)['types']>['output'];
type LogReply = NonNullable<(typeof readLogRoute)['types']>['output'];
const DEFAULT_WIDTH = 600;

export async function readRunSeries(
  deps: RunDeps,
  principal: Principal,
  run: string,
  input: { width?: number; names?: string },
): Promise<SeriesReply> {
  await requireRun(deps, principal, run);
  const attempts = await attemptsOf(deps.db.pool, run);
  const read = await readSeriesOf(
    deps.db.pool,
    attempts.map((attempt) => attempt.id),
    input.width ?? DEFAULT_WIDTH,
    input.names?.split(',') ?? null,
  );
  const resumed = await query<{ step: number }>(
    deps.db.pool,
    'select a.resumed_step as step from attempt a join job j on j.id = a.job where j.subject = $1 and a.resumed_step is not null order by j.created_at, a.number',
    [run],
  );
  return {
    cursor: read.cursor,
    resumedAt: resumed.map((row) => row.step),
    series: read.series.map((series) => ({
      name: series.name,
      split: series.split,
      count: series.count,
      points: series.points.map((bucket): [number, number | null, number | null, number | null] => [...bucket]),
    })),
  };
}

export async function readRunLog(
  deps: RunDeps,
  principal: Principal,
  run: string,
  input: { after?: number; limit?: number },
): Promise<LogReply> {
  await requireRun(deps, principal, run);
  const attempts = await attemptsOf(deps.db.pool, run);
  const numbers = new Map(attempts.map((attempt) => [attempt.id, attempt.number]));
  const page = await readLogOf(
    deps.db.pool,
    attempts.map((attempt) => attempt.id),
    input.after ?? 0,
    input.limit ?? 200,
  );
  const [lost] = await query<{ dropped: number }>(
    deps.db.pool,
    'select coalesce(sum(log_dropped), 0)::bigint as dropped from attempt_mark where attempt = any($1::uuid[])',
    [attempts.map((attempt) => attempt.id)],
  );
  return {
    next: page.next,
    more: page.more,
    dropped: lost?.dropped ?? 0,
    chunks: page.chunks.map((chunk) => ({ ...chunk, attempt: numbers.get(chunk.attempt) ?? 1 })),
  };
}

/** The whole log as text, streamed a page at a time. */
export async function* logText(deps: RunDeps, principal: Principal, run: string): AsyncIterable<Uint8Array> {
  await requireRun(deps, principal, run);
  const attempts = (await attemptsOf(deps.db.pool, run)).map((attempt) => attempt.id);
  let after = 0;
  for (;;) {
    const page = await readLogOf(deps.db.pool, attempts, after, 200);
    for (const chunk of page.chunks) yield Buffer.from(chunk.text);
    if (!page.more) return;
    after = page.next;
  }
}
