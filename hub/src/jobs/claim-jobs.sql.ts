import type { Tx } from '../platform/transaction.ts';
import type { JobRow } from './job.ts';

export interface ClaimedRow extends JobRow {
  readonly attempt: string;
  readonly number: number;
  readonly fence: string;
}

export interface ClaimFilter {
  readonly agent: string;
  readonly kinds: readonly string[];
  readonly devices: readonly string[];
  /** Everything the agent carries out runs behind a wall, so it may take what else waits for an approval. */
  readonly walled: boolean;
  readonly slots: number;
  readonly leaseSeconds: number;
}

/** One statement: picks what is free with SKIP LOCKED, opens attempts with fences, sets leases. Two agents never get the same job. */
export async function claimRows(tx: Tx, input: ClaimFilter): Promise<ClaimedRow[]> {
  return tx.query<ClaimedRow>(
    `with picked as (
       select id from job
       where state = 'queued' and (hold is null or ($6 and hold = 'approval')) and not_before <= now() and kind = any($2) and coalesce(spec->'device'->>'kind', 'cpu') = any($3)
       order by priority desc, created_at, id limit $4 for update skip locked
     ), moved as (
       update job set state = 'claimed', next_number = next_number + 1 from picked where job.id = picked.id returning job.*
     ), made as (
       insert into attempt (id, job, number, agent, lease_expires_at)
       select gen_random_uuid(), id, next_number - 1, $1, now() + make_interval(secs => $5) from moved returning id, job, number, fence
     ), marks as (
       insert into attempt_mark (attempt) select id from made
     )
     select moved.*, made.id as attempt, made.number, made.fence from moved join made on made.job = moved.id order by moved.created_at`,
    [input.agent, input.kinds, input.devices, input.slots, input.leaseSeconds, input.walled],
  );
}
