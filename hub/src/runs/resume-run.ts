import { Problem, type RunJobSpec, type RunState } from '@trainyard/plugin-sdk';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { enqueueJob } from '../jobs/enqueue-job.ts';
import { requireChange } from '../platform/access.ts';
import { inTransaction } from '../platform/transaction.ts';
import { findReleaseById } from '../trainers/find-release.ts';
import type { RunDeps } from './deps.ts';
import { nextRunState } from './run-state.ts';

/** A new job for the same frozen run; its first attempt goes on from the newest resumable checkpoint. Two at once: one wins, the other is told. */
export async function resumeRun(deps: RunDeps, caller: AuditCaller, run: string): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const [row] = await tx.query<{
      organization_id: string;
      visibility: string;
      state: RunState;
      verb: string;
      current_job: string;
      release: string;
    }>(
      'select organization_id, visibility, state, verb, current_job, release from run where id::text = $1 for update',
      [run],
    );
    requireChange(
      caller.principal,
      row === undefined ? null : { organizationId: row.organization_id, visibility: row.visibility },
      'run',
    );
    if (row === undefined) return;
    const next = nextRunState(row.state, 'resumed', false);
    const [checkpoint] = await tx.query(
      `select id from artifact where subject = $1 and kind = 'checkpoint' and meta->>'resumable' = 'true' limit 1`,
      [run],
    );
    // Paused before it ever ran: there is nothing to lose, so it simply starts.
    const [begun] = await tx.query('select 1 from job j join attempt a on a.job = j.id where j.subject = $1 limit 1', [
      run,
    ]);
    if (checkpoint === undefined && begun !== undefined && row.verb === 'train') {
      throw new Problem('illegal-transition', {
        detail: 'This run left no checkpoint to go on from.',
        fix: 'Repeat it: a new run with the same settings starts from the beginning.',
      });
    }
    const release = await findReleaseById(deps.db.pool, row.release);
    if (release === null || !['published', 'deprecated', 'yanked'].includes(release.state))
      throw new Problem('release-not-published', { detail: 'Its release is not available any more.' });
    const [job] = await tx.query<{ spec: RunJobSpec }>('select spec from job where id = $1', [row.current_job]);
    if (job === undefined) throw new Problem('not-found', { detail: 'The job of this run is gone.' });
    const id = await enqueueJob(tx, {
      spec: job.spec,
      subject: run,
      organizationId: row.organization_id,
      ...(release.trusted ? {} : { hold: 'approval' }),
    });
    await tx.query(
      'update run set state = $2, current_job = $3, failure = null, ended_at = null, stop_what = null where id::text = $1',
      [run, next, id],
    );
    await recordAudit(tx, caller, 'run.resumed', run, {});
  });
}
