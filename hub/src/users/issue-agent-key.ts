import { newId } from '@trainyard/plugin-sdk';
import type { Database } from '../platform/database.ts';
import { inTransaction } from '../platform/transaction.ts';
import { hashToken, newTokenText } from './token-text.ts';

/**
 * Key of a runner or validator; its text is in this answer and nowhere else. Earlier keys of the same agent stay valid to
 * their own end, so that an agent can be rotated without a gap.
 */
export async function issueAgentKey(
  deps: { db: Database },
  wish: { agentId: string; /** Null: until revoked. */ hours: number | null },
): Promise<string> {
  const text = newTokenText('ty_r_');
  await inTransaction(deps.db, async (tx) => {
    await tx.query('delete from agent_key where agent_id = $1 and expires_at < now()', [wish.agentId]);
    await tx.query(
      'insert into agent_key (id, agent_id, hash, expires_at) values ($1, $2, $3, now() + make_interval(hours => $4))',
      [newId(), wish.agentId, hashToken(text), wish.hours],
    );
  });
  return text;
}

/** Ends every key of the agent, within five seconds. */
export async function revokeAgentKeys(deps: { db: Database }, agentId: string): Promise<number> {
  const rows = await inTransaction(deps.db, (tx) =>
    tx.query<{ id: string }>('delete from agent_key where agent_id = $1 returning id', [agentId]),
  );
  return rows.length;
}
