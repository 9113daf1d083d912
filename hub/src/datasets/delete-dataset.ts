import { Problem } from '@trainyard/plugin-sdk';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { requireChange } from '../platform/access.ts';
import { inTransaction } from '../platform/transaction.ts';
import type { DatasetDeps } from './deps.ts';

/** Refused while a run names one of its snapshots: what a run was trained on stays readable. */
export async function deleteDataset(deps: DatasetDeps, caller: AuditCaller, id: string): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const [row] = await tx.query<{ organization_id: string; visibility: string; name: string }>(
      'select organization_id, visibility, name from dataset where id::text = $1 and deleted_at is null for update',
      [id],
    );
    requireChange(
      caller.principal,
      row === undefined ? null : { organizationId: row.organization_id, visibility: row.visibility },
      'dataset',
    );
    const [used] = await tx.query(
      'select 1 from run join snapshot s on s.id = run.snapshot where s.dataset::text = $1 limit 1',
      [id],
    );
    if (used !== undefined)
      throw new Problem('in-use', {
        detail: `${row?.name ?? 'It'} was used by runs.`,
        fix: 'Datasets that runs were trained on are kept, so that their results can be checked.',
      });
    await tx.query(
      `delete from blob_use where owner_kind = 'snapshot' and owner_id in (select id::text from snapshot where dataset::text = $1)`,
      [id],
    );
    await tx.query('update dataset set deleted_at = now() where id::text = $1', [id]);
    await recordAudit(tx, caller, 'dataset.deleted', id, { name: row?.name });
  });
}
