import { recordAudit } from '../../audit/record-audit.ts';
import type { ReleaseState } from '@trainyard/plugin-sdk/api';
import { NOTIFY_SQL } from '../../platform/event-bus.ts';
import { query } from '../../platform/sql.ts';
import { inTransaction } from '../../platform/transaction.ts';
import type { TrainerDeps } from '../deps.ts';
import { findReleaseById, type ReleaseRow } from '../find-release.ts';
import { enqueueProof } from './enqueue-proof.ts';
import { nextReleaseState } from '../release-state.ts';
import { writeToRegistry } from './npm-registry.ts';

/** Whether published releases are measured further: learning, stop, resume, exports. */
export type Proofs = 'on' | 'off';

/**
 * Releases whose report passed: bytes into the registry, then `published` as the last transaction. Runs again after any crash: the registry is asked
 * first, the state moves once.
 */
export async function publishReleases(
  deps: TrainerDeps,
  published: (release: ReleaseRow) => Promise<void>,
  proofs: Proofs = 'on',
): Promise<number> {
  const waiting = await query<{ id: string; package_sha512: string }>(
    deps.db.pool,
    `select id, package_sha512 from release where hold = 'publishing' order by submitted_at`,
  );
  let failure: unknown = null;
  for (const { id, package_sha512 } of waiting) {
    try {
      await publishOne(deps, id, package_sha512, published, proofs);
    } catch (error) {
      // One that fails must not hold back the others; the chore logs it and tries again.
      failure ??= error;
    }
  }
  if (failure !== null) throw failure;
  return waiting.length;
}

async function publishOne(
  deps: TrainerDeps,
  id: string,
  package_sha512: string,
  published: (release: ReleaseRow) => Promise<void>,
  proofs: Proofs,
): Promise<void> {
  const release = await findReleaseById(deps.db.pool, id);
  if (release === null) return;
  await writeToRegistry(deps, { ...release, package_sha512 });
  await inTransaction(deps.db, async (tx) => {
    const [row] = await tx.query<{ state: ReleaseState; hold: string | null }>(
      'select state, hold from release where id = $1 for update',
      [id],
    );
    if (row?.hold !== 'publishing') return;
    await tx.query('update release set state = $2, hold = null, published_at = now() where id = $1', [
      id,
      nextReleaseState(row.state, 'registered'),
    ]);
    if (proofs === 'on') await enqueueProof(tx, release);
    await recordAudit(
      tx,
      { principal: { kind: 'system' } },
      'release.published',
      `@${release.owner}/${release.name}@${release.version}`,
      { digest: release.package_digest },
    );
    await tx.query(NOTIFY_SQL, ['catalog', id]);
    await tx.query(NOTIFY_SQL, ['subject', id]);
  });
  const now = await findReleaseById(deps.db.pool, id);
  if (now?.state === 'published') await published(now);
}
