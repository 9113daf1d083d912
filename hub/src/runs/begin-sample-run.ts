import type { AuditCaller } from '../audit/record-audit.ts';
import type { ReleaseRow } from '../trainers/find-release.ts';
import { inTransaction } from '../platform/transaction.ts';
import { deliverDataset } from './deliver-dataset.ts';
import type { RunDeps } from './deps.ts';
import { freezeRun } from './freeze/freeze-run.ts';
import { insertRun } from './start-run.ts';

/**
 * The first published official trainer trains once on the sample dataset, in public, owned by the installation: a newcomer sees a live curve before he
 * has an account. At most once per installation, whoever calls and however often.
 */
export async function beginSampleRun(deps: RunDeps, release: ReleaseRow): Promise<string | null> {
  const caller: AuditCaller = { principal: { kind: 'system' } };
  const { rows: known } = await deps.db.pool.query('select 1 from run where sample limit 1');
  if (known.length > 0) return null;
  const { rows } = await deps.db.pool.query<{ id: string }>(
    'select id from dataset where sample and deleted_at is null limit 1',
  );
  const dataset = rows[0]?.id;
  if (dataset === undefined) return null;
  const preset = release.presets.find((entry) => entry['id'] === 'sample');
  const { frozen } = await freezeRun(deps, caller.principal, {
    verb: 'train',
    name: 'Sample run',
    trainer: `${release.owner}/${release.name}`,
    version: release.version,
    dataset,
    ...(preset === undefined ? {} : { preset: 'sample' }),
  });
  if (frozen === null) return null;
  const ready = await deliverDataset(deps, frozen);
  return inTransaction(deps.db, async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('sample-run'))`);
    const [other] = await tx.query('select 1 from run where sample limit 1');
    if (other !== undefined) return null;
    return insertRun(tx, caller, ready, {
      organizationId: release.organization_id,
      createdBy: 'Trainyard',
      visibility: 'public',
      sample: true,
    });
  });
}
