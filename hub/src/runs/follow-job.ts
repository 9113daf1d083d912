import type { RunState } from '@trainyard/plugin-sdk';
import type { JobFollower } from '../jobs/job.ts';
import { NOTIFY_SQL } from '../platform/event-bus.ts';
import { remedyOf } from './remedy.ts';
import { nextRunState, type RunEvent } from './run-state.ts';

const EVENT: Readonly<Record<string, RunEvent>> = {
  started: 'job-started',
  requeued: 'job-requeued',
  succeeded: 'job-succeeded',
  failed: 'job-failed',
  cancelled: 'job-cancelled',
};

/** Moves the run with its job, in the same transaction. Every path through a job ends here exactly once. */
export const followRunJob: JobFollower = async (tx, job, event, outcome, decision) => {
  const runEvent = EVENT[event];
  if (runEvent === undefined) return;
  const [run] = await tx.query<{ state: RunState; stop_what: string | null; config: Record<string, unknown> }>(
    'select state, stop_what, config from run where id::text = $1 for update',
    [job.subject],
  );
  if (run === undefined) return;
  if (runEvent === 'job-requeued' && run.state === 'stopping') return;
  const state = nextRunState(run.state, runEvent, run.stop_what === 'pause');
  const code = decision?.code ?? outcome?.code ?? null;
  const failure =
    state === 'failed'
      ? {
          code: code ?? 'internal.exception',
          message: outcome?.message ?? 'The attempt failed without saying why.',
          hint: outcome?.hint ?? null,
          detail: outcome?.detail ?? null,
          remedy: remedyOf(code ?? '', run.config),
        }
      : null;
  await tx.query(
    `update run set state = $2, failure = $3, started_at = case when $2 = 'running' then coalesce(started_at, now()) else started_at end,
       ended_at = case when $2 in ('succeeded', 'failed', 'cancelled', 'paused') then now() else null end, stop_what = case when $2 in ('queued') then null else stop_what end where id::text = $1`,
    [job.subject, state, failure === null ? null : JSON.stringify(failure)],
  );
  // Cards show how many runs finished: what was cached of the catalogue is old now.
  if (state === 'succeeded' || state === 'failed') await tx.query(NOTIFY_SQL, ['catalog', job.subject]);
};
