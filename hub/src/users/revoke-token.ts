import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { notFound, requireUser } from '../platform/access.ts';
import type { Database } from '../platform/database.ts';
import { NOTIFY_SQL } from '../platform/event-bus.ts';
import { inTransaction } from '../platform/transaction.ts';
import { REVOKED_TOPIC, type Authenticator } from './authenticate.ts';

/** Ends a token of the caller at once here, within five seconds on every other hub. A foreign one is not found. */
export async function revokeToken(
  deps: { db: Database; authenticator: Pick<Authenticator, 'forget'> },
  caller: AuditCaller,
  tokenId: string,
): Promise<void> {
  const user = requireUser(caller.principal);
  const hash = await inTransaction(deps.db, async (tx) => {
    const row = await tx.queryOne<{ name: string; hash: string }>(
      'delete from access_token where id = $1 and user_id = $2 returning name, hash',
      [tokenId, user.userId],
    );
    if (row === null) throw notFound('token');
    await recordAudit(tx, caller, 'token.revoked', tokenId, { name: row.name });
    await tx.query(NOTIFY_SQL, [REVOKED_TOPIC, row.hash]);
    return row.hash;
  });
  deps.authenticator.forget(hash);
}
