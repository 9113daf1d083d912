import { newId, type JobSpec } from '@trainyard/plugin-sdk';
import { NOTIFY_SQL } from '../platform/event-bus.ts';
import type { Tx } from '../platform/transaction.ts';

export interface NewJob {
  readonly spec: JobSpec;
  readonly subject: string;
  readonly organizationId: string;
  /** Code of a reason why nobody may claim it yet (`approval`); cleared by `release-hold`. */
  readonly hold?: string;
  readonly priority?: number;
}

/** Puts one job into the queue; agents are woken after the commit. */
export async function enqueueJob(tx: Tx, job: NewJob): Promise<string> {
  const id = newId();
  await tx.query(
    `insert into job (id, kind, state, subject, organization_id, spec, hold, priority) values ($1, $2, 'queued', $3, $4, $5, $6, $7)`,
    [id, job.spec.kind, job.subject, job.organizationId, JSON.stringify(job.spec), job.hold ?? null, job.priority ?? 0],
  );
  await tx.query(NOTIFY_SQL, ['job', job.spec.kind]);
  return id;
}

/** Lets jobs of these subjects that wait for `hold` go on. */
export async function releaseHold(tx: Tx, subjects: readonly string[], hold: string): Promise<void> {
  await tx.query('update job set hold = null where subject = any($1) and hold = $2', [subjects, hold]);
  await tx.query(NOTIFY_SQL, ['job', 'released']);
}
