import type { ReleaseState } from '@trainyard/plugin-sdk/api';
import { recordAudit } from '../../audit/record-audit.ts';
import type { JobFollower } from '../../jobs/job.ts';
import { NOTIFY_SQL } from '../../platform/event-bus.ts';
import { nextReleaseState } from '../release-state.ts';
import { reasonOf, reportOf } from './report-of.ts';

interface Row {
  readonly state: ReleaseState;
  readonly level: string;
  readonly proof_job: string | null;
  readonly label: string;
}

/**
 * What a proof makes of a published release. A passed report replaces the first one and may raise the level. A refuted claim takes the release off the
 * catalogue: a wrong claim is worse than none. A proof that came to nothing changes nothing but its note.
 */
export const followProveJob: JobFollower = async (tx, job, event, outcome) => {
  if (event === 'started' || event === 'requeued' || event === 'claimed') return;
  const [release] = await tx.query<Row>(
    `select r.state, r.level, r.proof_job, '@' || t.owner || '/' || t.name || '@' || r.version as label from release r join trainer t on t.id = r.trainer
     where r.id::text = $1 for update of r`,
    [job.subject],
  );
  if (release === undefined || release.proof_job !== job.id) return;
  const report = reportOf(event, outcome);
  const listed = release.state === 'published' || release.state === 'deprecated';
  if (report?.verdict === 'passed') {
    await tx.query('update release set report = $2, level = $3, proof_note = null where id::text = $1', [
      job.subject,
      JSON.stringify(report),
      report.level,
    ]);
    await recordAudit(tx, { principal: { kind: 'system' } }, 'release.proven', release.label, { level: report.level });
  } else if (report?.verdict === 'rejected' && listed) {
    await tx.query('update release set state = $2, report = $3, level = $4, reason = $5 where id::text = $1', [
      job.subject,
      nextReleaseState(release.state, 'refuted'),
      JSON.stringify(report),
      report.level,
      reasonOf(report),
    ]);
    await recordAudit(tx, { principal: { kind: 'system' } }, 'release.refuted', release.label, {
      reason: reasonOf(report),
    });
  } else {
    const note = report === undefined ? (outcome?.message ?? 'The proof did not finish.') : reasonOf(report);
    await tx.query('update release set proof_note = $2 where id::text = $1', [job.subject, note]);
  }
  await tx.query(NOTIFY_SQL, ['catalog', job.subject]);
  await tx.query(NOTIFY_SQL, ['subject', job.subject]);
};
