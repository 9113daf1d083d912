import type { RunState } from '@trainyard/plugin-sdk';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { requestStop } from '../jobs/request-stop.ts';
import { requireChange } from '../platform/access.ts';
import { inTransaction } from '../platform/transaction.ts';
import type { RunDeps } from './deps.ts';
import { nextRunState } from './run-state.ts';

interface Row {
  organization_id: string;
  visibility: string;
  state: RunState;
  current_job: string;
  grace: number;
  stop_what: string | null;
}

/** Asks the run to stop with its checkpoint kept. Asking again while it stops changes nothing; before the claim it stops at once. */
export async function stopRun(
  deps: RunDeps,
  caller: AuditCaller,
  run: string,
  what: 'cancel' | 'pause',
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    // Job before run, in room order: finish-attempt locks the same two rows the same way.
    const [job] = await tx.query<{ id: string; grace: number }>(
      `select j.id, coalesce((j.spec->>'grace')::int, 60) as grace from job j join run r on r.current_job = j.id where r.id::text = $1 for update of j`,
      [run],
    );
    const [row] = await tx.query<Row>(
      'select organization_id, visibility, state, current_job, stop_what from run where id::text = $1 for update',
      [run],
    );
    requireChange(
      caller.principal,
      row === undefined ? null : { organizationId: row.organization_id, visibility: row.visibility },
      'run',
    );
    if (row === undefined || job === undefined) return;
    if (row.state === 'stopping') {
      await recordAudit(tx, caller, 'run.cancelled', run, { what, repeated: true });
      return;
    }
    const next = nextRunState(row.state, 'stop-asked', false);
    await tx.query('update run set state = $2, stop_what = $3 where id::text = $1', [run, next, what]);
    await requestStop(tx, deps.followers, job.id, { what, grace: job.grace });
    await recordAudit(tx, caller, 'run.cancelled', run, { what });
  });
}
