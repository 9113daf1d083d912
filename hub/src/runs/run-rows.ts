import type { RunShape } from '@trainyard/plugin-sdk/api';
import { readJobStatus } from '../jobs/read-wait.ts';
import type { Latest } from '../journal/metric-points.ts';
import { query, type Queryable } from '../platform/sql.ts';
import type { ManifestView } from '../trainers/find-release.ts';
import { runSentence } from './run-sentence.ts';

/** A run with what its shape needs, read in one statement. */
export interface RunRow {
  id: string;
  organization_id: string;
  visibility: string;
  name: string;
  verb: string;
  state: string;
  release: string;
  task: string;
  model: string;
  sample: boolean;
  stop_what: string | null;
  current_job: string;
  failure: RunShape['failure'];
  parent: string | null;
  created_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  owner: string;
  trainer_owner: string;
  trainer_name: string;
  version: string;
  title: string;
  tasks: ManifestView['tasks'];
  dataset: string | null;
  dataset_name: string | null;
  snapshot: string | null;
  snapshot_digest: string | null;
  eval_metric: string | null;
  marks:
    | {
        latest: Record<string, Latest>;
        progress: { unit: string; current: number; total: number | null; etaSeconds?: number | null } | null;
      }[]
    | null;
}

const SELECT = `select run.id, run.organization_id, run.visibility, run.name, run.verb, run.state, run.release, run.task, run.model, run.sample, run.stop_what, run.current_job, run.failure,
    run.parent, run.created_at, run.started_at, run.ended_at, run.snapshot, run.snapshot_digest, run.config->>'eval_metric' as eval_metric,
    o.slug as owner, t.owner as trainer_owner, t.name as trainer_name, r.version, r.title, r.manifest->'tasks' as tasks, d.id as dataset, d.name as dataset_name,
    (select json_agg(json_build_object('latest', m.latest, 'progress', m.progress) order by j.created_at, a.number)
       from job j join attempt a on a.job = j.id join attempt_mark m on m.attempt = a.id where j.subject = run.id::text) as marks
  from run join release r on r.id = run.release join trainer t on t.id = r.trainer left join organization o on o.id = run.organization_id
    left join snapshot s on s.id = run.snapshot left join dataset d on d.id = s.dataset`;

/** `where` is SQL text of this file's callers with parameters `$1…`; never built from input. */
export async function selectRuns(on: Queryable, where: string, params: readonly unknown[]): Promise<RunRow[]> {
  return query<RunRow>(on, `${SELECT} where ${where}`, params);
}

function primaryOf(row: RunRow): RunShape['primary'] {
  const metrics = row.tasks.find((task) => task.id === row.task)?.metrics;
  if (metrics === undefined) return null;
  const name = row.eval_metric ?? metrics.primary;
  const direction =
    row.eval_metric === null || row.eval_metric === metrics.primary
      ? metrics.direction
      : name === 'loss'
        ? 'min'
        : 'max';
  let best: number | null = null;
  let bestStep: number | null = null;
  let last: number | null = null;
  for (const mark of row.marks ?? []) {
    const latest = mark.latest[`val ${name}`] ?? mark.latest[`test ${name}`];
    if (latest === undefined) continue;
    last = latest[1];
    const better = latest[3] !== null && (best === null || (direction === 'min' ? latest[3] < best : latest[3] > best));
    if (better) [best, bestStep] = [latest[3], latest[2]];
  }
  return { name, direction, best, bestStep, last };
}

function secondsBetween(from: Date | null, to: Date | null): number | null {
  return from === null || to === null ? null : (to.getTime() - from.getTime()) / 1000;
}

/** Shapes of rows, with the state of their jobs looked up once for all. */
export async function toRunShapes(on: Queryable, rows: readonly RunRow[]): Promise<RunShape[]> {
  const status = await readJobStatus(
    on,
    rows.map((row) => row.current_job),
  );
  return rows.map((row) => {
    const job = status.get(row.current_job);
    const raw = row.marks?.findLast((mark) => mark.progress !== null)?.progress ?? null;
    const progress =
      raw === null
        ? null
        : { unit: raw.unit, current: raw.current, total: raw.total, etaSeconds: raw.etaSeconds ?? null };
    const running = row.state === 'running' || row.state === 'queued' || row.state === 'stopping';
    const waiting = running ? (job?.waiting ?? null) : null;
    return {
      id: row.id,
      name: row.name,
      verb: row.verb,
      state: row.state,
      phase: running ? (job?.phase ?? null) : null,
      sentence: runSentence({
        state: row.state,
        phase: job?.phase ?? null,
        phaseSentence: job?.sentence ?? null,
        waiting,
        progress,
        stopWhat: row.stop_what,
        failure: row.failure?.message ?? null,
        seconds: secondsBetween(row.started_at, row.ended_at),
      }),
      waiting,
      trainer: {
        owner: row.trainer_owner,
        name: row.trainer_name,
        version: row.version,
        title: row.title,
        releaseId: row.release,
      },
      task: row.task,
      model: row.model,
      dataset:
        row.dataset === null || row.snapshot === null
          ? null
          : {
              id: row.dataset,
              name: row.dataset_name ?? '',
              snapshot: row.snapshot,
              digest: row.snapshot_digest ?? '',
            },
      owner: row.owner ?? 'trainyard',
      sample: row.sample,
      visibility: row.visibility,
      progress,
      primary: primaryOf(row),
      createdAt: row.created_at.toISOString(),
      startedAt: row.started_at?.toISOString() ?? null,
      endedAt: row.ended_at?.toISOString() ?? null,
      failure:
        row.failure === null
          ? null
          : {
              code: row.failure.code,
              message: row.failure.message,
              hint: row.failure.hint ?? null,
              detail: row.failure.detail ?? null,
              remedy: row.failure.remedy ?? null,
            },
      parent: row.parent,
    };
  });
}
