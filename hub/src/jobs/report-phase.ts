import type { AttemptPhase } from '@trainyard/plugin-sdk';
import type { Database } from '../platform/database.ts';
import { NOTIFY_SQL } from '../platform/event-bus.ts';
import { inTransaction } from '../platform/transaction.ts';
import { nextJobState } from './job-state.ts';
import type { JobFollowers } from './job.ts';
import { requireAttempt } from './require-attempt.ts';

export interface PhaseReport {
  readonly fence: number;
  readonly phase: AttemptPhase;
  readonly sentence?: string;
  readonly progress?: number;
  readonly stages?: readonly unknown[];
  readonly findings?: readonly unknown[];
}

/** The last report wins. The first `running` makes the job running. */
export async function reportPhase(
  deps: { db: Database; followers: JobFollowers },
  attempt: string,
  report: PhaseReport,
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const open = await requireAttempt(tx, attempt, report.fence);
    const live =
      report.stages === undefined ? null : JSON.stringify({ stages: report.stages, findings: report.findings ?? [] });
    await tx.query(
      `update attempt set phase = $2, sentence = $3, progress = $4, live = coalesce($5, live), running_at = case when $2 = 'running' then coalesce(running_at, now()) else running_at end where id = $1`,
      [open.id, report.phase, report.sentence ?? null, report.progress ?? null, live],
    );
    if (report.phase === 'running' && open.job.state === 'claimed') {
      await tx.query('update job set state = $2 where id = $1', [open.job.id, nextJobState(open.job.state, 'started')]);
      await deps.followers[open.job.kind](tx, open.job, 'started', null, null);
    }
    await tx.query(NOTIFY_SQL, ['subject', open.job.subject]);
  });
}
