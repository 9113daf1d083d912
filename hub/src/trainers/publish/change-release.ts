import { Problem } from '@trainyard/plugin-sdk';
import type { ReleaseState, ReleaseSummary } from '@trainyard/plugin-sdk/api';
import { recordAudit, type AuditCaller } from '../../audit/record-audit.ts';
import { notFound, requireChange } from '../../platform/access.ts';
import { NOTIFY_SQL } from '../../platform/event-bus.ts';
import { inTransaction } from '../../platform/transaction.ts';
import type { TrainerDeps } from '../deps.ts';
import { audienceOf, findRelease, findReleaseById, isListedFor } from '../find-release.ts';
import { toReleaseSummary } from '../release-shape.ts';
import { nextReleaseState, type ReleaseEvent } from '../release-state.ts';

/** Deprecate, undo, yank: state and reason in one transaction; registry and catalogue follow within seconds. */
export async function changeRelease(
  deps: TrainerDeps,
  caller: AuditCaller,
  input: {
    owner: string;
    name: string;
    version: string;
    event: Extract<ReleaseEvent, 'deprecated' | 'undeprecated' | 'yanked'>;
    reason: string | null;
  },
): Promise<ReleaseSummary> {
  const found = await findRelease(deps.db.pool, input.owner, input.name, input.version, audienceOf(caller.principal));
  const listed =
    found !== null &&
    ['published', 'deprecated', 'yanked'].includes(found.state) &&
    isListedFor(found, audienceOf(caller.principal));
  requireChange(
    caller.principal,
    found === null ? null : { organizationId: found.organization_id, visibility: listed ? 'public' : 'private' },
    'release',
  );
  if (found === null) throw notFound('release');
  await inTransaction(deps.db, async (tx) => {
    const [row] = await tx.query<{ state: ReleaseState }>('select state from release where id = $1 for update', [
      found.id,
    ]);
    if (row === undefined) throw new Problem('not-found');
    await tx.query('update release set state = $2, reason = $3 where id = $1', [
      found.id,
      nextReleaseState(row.state, input.event),
      input.reason,
    ]);
    await recordAudit(tx, caller, `release.${input.event}`, `@${input.owner}/${input.name}@${input.version}`, {
      reason: input.reason,
    });
    await tx.query(NOTIFY_SQL, ['catalog', found.id]);
  });
  const now = await findReleaseById(deps.db.pool, found.id);
  if (now === null) throw notFound('release');
  return toReleaseSummary(now);
}
