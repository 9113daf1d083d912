import { Problem } from '@trainyard/plugin-sdk';
import type { ReleaseSummary } from '@trainyard/plugin-sdk/api';
import { recordAudit, type AuditCaller } from '../../audit/record-audit.ts';
import { releaseHold } from '../../jobs/enqueue-job.ts';
import { notFound } from '../../platform/access.ts';
import { actorOf } from '../../platform/principal.ts';
import { inTransaction } from '../../platform/transaction.ts';
import type { TrainerDeps } from '../deps.ts';
import { findReleaseById } from '../find-release.ts';
import { toReleaseSummary } from '../release-shape.ts';

/** An administrator lets exactly this digest run without a wall; its waiting validation and runs go on. Other bytes need another approval. */
export async function approveRelease(
  deps: TrainerDeps,
  caller: AuditCaller,
  input: { release: string; digest: string },
): Promise<ReleaseSummary> {
  const found = await findReleaseById(deps.db.pool, input.release);
  if (found === null) throw notFound('release');
  if (found.package_digest !== input.digest)
    throw new Problem('digest-mismatch', {
      detail: 'This is not the digest of that release.',
      fix: `It is ${found.package_digest}.`,
    });
  await inTransaction(deps.db, async (tx) => {
    await tx.query('insert into approved_digest (digest, approved_by) values ($1, $2) on conflict do nothing', [
      input.digest,
      actorOf(caller.principal).name,
    ]);
    const rows = await tx.query<{ subject: string }>(
      `select id::text as subject from release where package_digest = $1 union select run.id::text from run join release r on r.id = run.release where r.package_digest = $1`,
      [input.digest],
    );
    await releaseHold(
      tx,
      rows.map((row) => row.subject),
      'approval',
    );
    await recordAudit(tx, caller, 'release.approved', `@${found.owner}/${found.name}@${found.version}`, {
      digest: input.digest,
    });
  });
  const now = await findReleaseById(deps.db.pool, found.id);
  if (now === null) throw notFound('release');
  return toReleaseSummary(now);
}
