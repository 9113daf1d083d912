import { Problem } from '@trainyard/plugin-sdk';
import type { Tx } from '../platform/transaction.ts';
import type { JobRow } from './job.ts';

export interface OpenAttempt {
  readonly id: string;
  readonly number: number;
  readonly agent: string;
  readonly execution: string | null;
  readonly phase: string;
  readonly job: JobRow;
}

export function superseded(): Problem {
  return new Problem('attempt-superseded', {
    detail: 'This attempt has ended or another one has taken over; nothing was stored.',
    fix: 'Stop the execution and drop its results.',
  });
}

/**
 * The attempt behind a fence, with job and attempt locked in that order. Ended, foreign or replaced: `attempt-superseded`.
 * The fence is the only identity that counts: it never comes from a line a trainer wrote.
 */
export async function requireAttempt(tx: Tx, attempt: string, fence: number): Promise<OpenAttempt> {
  const [job] = await tx.query<JobRow>(
    'select * from job where id = (select job from attempt where id::text = $1) for update',
    [attempt],
  );
  if (job === undefined) throw superseded();
  const [row] = await tx.query<{ id: string; number: number; agent: string; execution: string | null; phase: string }>(
    'select id, number, agent, execution, phase from attempt where id::text = $1 and fence = $2 and ended_at is null for update',
    [attempt, fence],
  );
  if (row === undefined) throw superseded();
  return { ...row, job };
}
