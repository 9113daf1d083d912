import { Problem } from '@trainyard/plugin-sdk';
import type { StopAsked } from '@trainyard/plugin-sdk/api';
import { NOTIFY_SQL } from '../platform/event-bus.ts';
import type { Tx } from '../platform/transaction.ts';
import { nextJobState } from './job-state.ts';
import type { JobFollowers, JobRow } from './job.ts';

/** A stop is a column, not a message: it holds across restarts. Before the claim the job is cancelled on the spot. Asking twice is the same as once. */
export async function requestStop(
  tx: Tx,
  followers: JobFollowers,
  jobId: string,
  stop: StopAsked,
): Promise<'cancelled' | 'asked'> {
  const [job] = await tx.query<JobRow>('select * from job where id = $1 for update', [jobId]);
  if (job === undefined) throw new Problem('not-found', { detail: 'There is no such job.' });
  if (job.state === 'queued') {
    await tx.query(`update job set state = $2, ended_at = now(), stop_asked = $3 where id = $1`, [
      jobId,
      nextJobState(job.state, 'cancelled'),
      JSON.stringify(stop),
    ]);
    await followers[job.kind](tx, job, 'cancelled', { state: 'stopped', cause: 'cancelled' }, null);
    await tx.query(NOTIFY_SQL, ['subject', job.subject]);
    return 'cancelled';
  }
  if (job.state !== 'claimed' && job.state !== 'running') {
    throw new Problem('illegal-transition', {
      detail: `This has already ${job.state === 'cancelled' ? 'been cancelled' : job.state}.`,
    });
  }
  await tx.query('update job set stop_asked = coalesce(stop_asked, $2) where id = $1', [jobId, JSON.stringify(stop)]);
  const [open] = await tx.query<{ id: string; agent: string }>(
    'select id, agent from attempt where job = $1 and ended_at is null',
    [jobId],
  );
  if (open !== undefined) {
    await tx.query(`update attempt set phase = 'stopping' where id = $1 and phase = 'running'`, [open.id]);
    await tx.query(NOTIFY_SQL, [`stop-${open.agent}`, JSON.stringify({ attempt: open.id, stop })]);
  }
  await tx.query(NOTIFY_SQL, ['subject', job.subject]);
  return 'asked';
}
