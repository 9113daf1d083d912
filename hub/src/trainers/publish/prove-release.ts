import { Problem } from '@trainyard/plugin-sdk';
import type { ReleaseSummary } from '@trainyard/plugin-sdk/api';
import { recordAudit, type AuditCaller } from '../../audit/record-audit.ts';
import { notFound, requireChange } from '../../platform/access.ts';
import { inTransaction } from '../../platform/transaction.ts';
import type { TrainerDeps } from '../deps.ts';
import { toReleaseSummary } from '../release-shape.ts';
import { requireRelease } from '../read/read-release.ts';
import { enqueueProof } from './enqueue-proof.ts';

/** Asks for a new proof of a published release. At most one waits or runs, whoever asks and however often. */
export async function proveRelease(deps: TrainerDeps, caller: AuditCaller, id: string): Promise<ReleaseSummary> {
  const release = await requireRelease(deps, caller.principal, id);
  requireChange(caller.principal, { organizationId: release.organization_id, visibility: 'public' }, 'release');
  await inTransaction(deps.db, async (tx) => {
    const [row] = await tx.query<{ state: string; open: boolean }>(
      `select r.state, coalesce(j.state in ('queued', 'claimed', 'running'), false) as open from release r left join job j on j.id = r.proof_job
       where r.id::text = $1 for update of r`,
      [id],
    );
    if (row === undefined) throw notFound('release');
    if (row.state !== 'published' && row.state !== 'deprecated')
      throw new Problem('illegal-transition', {
        detail: `A release that is ${row.state} cannot be proven.`,
        fix: 'Its first checks must pass before.',
      });
    if (!row.open) await enqueueProof(tx, release);
    await recordAudit(tx, caller, 'release.proof_asked', `@${release.owner}/${release.name}@${release.version}`, {
      queued: !row.open,
    });
  });
  return toReleaseSummary(release);
}
