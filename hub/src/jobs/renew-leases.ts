import type { LeaseTimings } from '@trainyard/plugin-sdk';
import type { StopAsked } from '@trainyard/plugin-sdk/api';
import type { Database } from '../platform/database.ts';
import { inTransaction } from '../platform/transaction.ts';
import { endAttempt } from './finish-attempt.ts';
import type { JobFollowers, JobRow } from './job.ts';

export interface RenewAnswer {
  readonly attempt: string;
  readonly answer: 'ok' | 'gone' | 'stop';
  readonly stop?: StopAsked;
}

/**
 * One call for all attempts of an agent. An agent that renews without naming an open attempt of its own has forgotten it (it died between the
 * claim and its own record): that attempt is lost at once instead of after the whole lease.
 */
export async function renewLeases(
  deps: { db: Database; followers: JobFollowers; timings: LeaseTimings },
  input: { agent: string; attempts: readonly { attempt: string; fence: number }[] },
): Promise<{ attempts: RenewAnswer[] }> {
  return inTransaction(deps.db, async (tx) => {
    await tx.query('update agent set last_seen_at = now() where id = $1', [input.agent]);
    const held = input.attempts.map((item) => item.attempt);
    const renewed = await tx.query<{ id: string; stop_asked: StopAsked | null }>(
      `update attempt a set lease_expires_at = now() + make_interval(secs => $3) from job j, unnest($1::text[], $2::bigint[]) as h(id, fence)
       where a.id::text = h.id and a.fence = h.fence and a.ended_at is null and j.id = a.job returning a.id, j.stop_asked`,
      [held, input.attempts.map((item) => item.fence), deps.timings.lease],
    );
    // Both rows are locked: an attempt that ends while this waits is looked at again and left alone.
    const forgotten = await tx.query<JobRow & { attempt: string }>(
      `select j.*, a.id as attempt from job j join attempt a on a.job = j.id
       where a.agent = $1 and a.ended_at is null and a.started_at < now() - make_interval(secs => $3) and not (a.id::text = any($2)) order by j.id for update of j, a`,
      [input.agent, held, deps.timings.renew],
    );
    for (const job of forgotten) {
      await endAttempt(tx, deps.followers, job, job.attempt, {
        state: 'lost',
        code: 'platform.lost',
        message: 'The runner lost this attempt when it was restarted.',
      });
    }
    const answers = new Map(renewed.map((row) => [row.id, row.stop_asked]));
    return {
      attempts: held.map((attempt): RenewAnswer => {
        const stop = answers.get(attempt);
        if (stop === undefined) return { attempt, answer: 'gone' };
        return stop === null ? { attempt, answer: 'ok' } : { attempt, answer: 'stop', stop };
      }),
    };
  });
}
