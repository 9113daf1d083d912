import { enqueueJob } from '../../jobs/enqueue-job.ts';
import type { Tx } from '../../platform/transaction.ts';
import type { ReleaseRow } from '../find-release.ts';
import { VALIDATION_POLICY } from '../intake/submit-release.ts';

/** Queues the proof of a release; the newest one counts. Runs of people come first; what is not trusted needs a wall, as ever. */
export async function enqueueProof(tx: Tx, release: ReleaseRow): Promise<void> {
  const job = await enqueueJob(tx, {
    spec: {
      kind: 'prove',
      policy: VALIDATION_POLICY,
      release: {
        id: release.id,
        name: `@${release.owner}/${release.name}`,
        version: release.version,
        packageDigest: release.package_digest,
        packageBytes: release.package_bytes,
      },
    },
    subject: release.id,
    organizationId: release.organization_id,
    priority: -1,
    ...(release.trusted ? {} : { hold: 'approval' }),
  });
  await tx.query('update release set proof_job = $2, proof_note = null where id = $1', [release.id, job]);
}
