import type { LeaseTimings } from '@trainyard/plugin-sdk';
import type { Database } from '../platform/database.ts';
import { query } from '../platform/sql.ts';
import { inTransaction } from '../platform/transaction.ts';
import { endAttempt } from './finish-attempt.ts';
import type { JobFollowers, JobRow } from './job.ts';

/** Attempts whose lease ran out and who did not come back within `survive`: lost; the job is tried again while tries remain. */
export async function reapExpired(deps: {
  db: Database;
  followers: JobFollowers;
  timings: LeaseTimings;
}): Promise<number> {
  return inTransaction(deps.db, async (tx) => {
    const rows = await tx.query<JobRow & { attempt: string }>(
      `select j.*, a.id as attempt from job j join attempt a on a.job = j.id
       where a.ended_at is null and a.lease_expires_at < now() - make_interval(secs => $1) order by j.id limit 100 for update of j, a skip locked`,
      [deps.timings.survive],
    );
    for (const job of rows) {
      await endAttempt(tx, deps.followers, job, job.attempt, {
        state: 'lost',
        code: 'platform.lost',
        message: 'Its runner has not answered for a long time.',
        hint: 'Look at the runner; the run goes on from its last checkpoint.',
      });
    }
    return rows.length;
  });
}

/** At the start of a hub: its own absence must not cost anybody a lease. */
export async function extendLeases(deps: { db: Database; timings: LeaseTimings }): Promise<void> {
  await query(
    deps.db.pool,
    'update attempt set lease_expires_at = now() + make_interval(secs => $1) where ended_at is null',
    [deps.timings.lease],
  );
}
