import type { Outcome } from '@trainyard/plugin-sdk';
import type { Database } from '../platform/database.ts';
import { NOTIFY_SQL } from '../platform/event-bus.ts';
import { inTransaction, type Tx } from '../platform/transaction.ts';
import { decideAfterAttempt, nextJobState } from './job-state.ts';
import type { JobFollowers, JobRow } from './job.ts';
import { requireAttempt, superseded } from './require-attempt.ts';

/** Ends an attempt and moves its job, in one transaction with whatever the owner of the job changes. Job and attempt are locked by the caller. */
export async function endAttempt(
  tx: Tx,
  followers: JobFollowers,
  job: JobRow,
  attempt: string,
  outcome: Outcome,
): Promise<void> {
  await tx.query(`update attempt set phase = 'ended', ended_at = now(), outcome = $2 where id = $1`, [
    attempt,
    JSON.stringify(outcome),
  ]);
  const decision = decideAfterAttempt(outcome, {
    tries: job.tries,
    disruptions: job.disruptions,
    stopAsked: job.stop_asked !== null,
  });
  const state = nextJobState(job.state, decision.event);
  await tx.query(
    `update job set state = $2, tries = $3, disruptions = $4, outcome = $5, not_before = now() + make_interval(secs => $6),
       ended_at = case when $2 = 'queued' then null else now() end where id = $1`,
    [
      job.id,
      state,
      JSON.stringify(decision.tries),
      decision.disruptions,
      JSON.stringify(outcome),
      decision.delaySeconds,
    ],
  );
  await followers[job.kind](tx, job, decision.event, outcome, decision);
  await tx.query(NOTIFY_SQL, ['attempt-ended', attempt]);
  await tx.query(NOTIFY_SQL, ['subject', job.subject]);
  if (state === 'queued') await tx.query(NOTIFY_SQL, ['job', job.kind]);
}

/** Exactly one outcome is recorded. The same call again is answered the same; a late one from a dead fence is `attempt-superseded`. */
export async function finishAttempt(
  deps: { db: Database; followers: JobFollowers },
  attempt: string,
  input: { fence: number; outcome: Outcome },
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    // The job first, in room order: the same call twice at once must be answered the same as one after the other.
    await tx.query('select 1 from job where id = (select job from attempt where id::text = $1) for update', [attempt]);
    const [ended] = await tx.query<{ same: boolean }>(
      "select outcome->>'state' = $3 as same from attempt where id::text = $1 and fence = $2 and ended_at is not null",
      [attempt, input.fence, input.outcome.state],
    );
    if (ended?.same === true) return;
    if (ended !== undefined) throw superseded();
    const open = await requireAttempt(tx, attempt, input.fence);
    await endAttempt(tx, deps.followers, open.job, open.id, input.outcome);
  });
}
