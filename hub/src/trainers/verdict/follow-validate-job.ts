import type { ReleaseState } from '@trainyard/plugin-sdk/api';
import type { JobFollower } from '../../jobs/job.ts';
import { NOTIFY_SQL } from '../../platform/event-bus.ts';
import { nextReleaseState } from '../release-state.ts';
import { reasonOf, reportOf } from './report-of.ts';

/**
 * What a validation makes of its release. Passed is not published: the release waits with hold `publishing` until the registry holds its bytes. A check
 * that did not run is never a pass: no report, or an inconclusive one, ends in quarantine.
 */
export const followValidateJob: JobFollower = async (tx, job, event, outcome) => {
  const [release] = await tx.query<{ state: ReleaseState }>(
    'select state from release where id::text = $1 for update',
    [job.subject],
  );
  if (release === undefined || event === 'started' || event === 'requeued') return;
  if (event === 'claimed') {
    await tx.query('update release set state = $2 where id::text = $1', [
      job.subject,
      nextReleaseState(release.state, 'claimed'),
    ]);
    return;
  }
  const report = reportOf(event, outcome);
  if (report?.verdict === 'passed') {
    await tx.query(
      `update release set report = $2, level = $3, hold = 'publishing', reason = null where id::text = $1`,
      [job.subject, JSON.stringify(report), report.level],
    );
    await tx.query(NOTIFY_SQL, ['publish', job.subject]);
    return;
  }
  const rejected = report?.verdict === 'rejected';
  const reason = report === undefined ? (outcome?.message ?? 'The validation did not finish.') : reasonOf(report);
  await tx.query('update release set state = $2, report = $3, level = $4, reason = $5 where id::text = $1', [
    job.subject,
    nextReleaseState(release.state, rejected ? 'rejected' : 'quarantined'),
    report === undefined ? null : JSON.stringify(report),
    report?.level ?? 'none',
    reason,
  ]);
};
