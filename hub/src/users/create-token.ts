import { newId, Problem } from '@trainyard/plugin-sdk';
import { SCOPES } from '@trainyard/plugin-sdk/api';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { requireUser } from '../platform/access.ts';
import type { Database } from '../platform/database.ts';
import { inTransaction } from '../platform/transaction.ts';
import { toToken, type TokenRow, type TokenView } from './list-tokens.ts';
import { hashToken, newTokenText } from './token-text.ts';

const LONGEST_DAYS = 90;
const MOST_TOKENS = 50;

/** Makes an access token of the caller. The text is in this answer and nowhere else. Only from a session. */
export async function createToken(
  deps: { db: Database },
  caller: AuditCaller,
  wish: { name: string; scopes: readonly string[]; days: number },
): Promise<{ token: TokenView; text: string }> {
  const user = requireUser(caller.principal);
  if (user.via !== 'session') {
    throw new Problem('forbidden', { detail: 'A token may not make tokens.', fix: 'Sign in on the site.' });
  }
  const unknown = wish.scopes.filter((scope) => !SCOPES.some((known) => known === scope));
  if (wish.scopes.length === 0 || unknown.length > 0) {
    throw new Problem('bad-request', {
      detail: unknown.length > 0 ? `There is no scope ${unknown.join(', ')}.` : 'A token needs a scope.',
      fix: `Choose from ${SCOPES.join(', ')}.`,
    });
  }
  if (!Number.isInteger(wish.days) || wish.days < 1 || wish.days > LONGEST_DAYS) {
    throw new Problem('bad-request', { detail: 'A token lives 1 to 90 days.', fix: 'Choose an expiry in that range.' });
  }
  const text = newTokenText('ty_u_');
  const token = await inTransaction(deps.db, async (tx) => {
    const held = await tx.queryOne<{ count: number }>(
      'select count(*) as count from access_token where user_id = $1 and expires_at > now()',
      [user.userId],
    );
    if ((held?.count ?? 0) >= MOST_TOKENS) {
      throw new Problem('conflict', { detail: `You hold ${MOST_TOKENS} tokens.`, fix: 'Revoke one you do not use.' });
    }
    const row = await tx.queryOne<TokenRow>(
      `insert into access_token (id, user_id, name, start, hash, scopes, expires_at)
       values ($1, $2, $3, $4, $5, $6, now() + make_interval(days => $7)) returning *`,
      [newId(), user.userId, wish.name, text.slice(0, 9), hashToken(text), [...new Set(wish.scopes)], wish.days],
    );
    if (row === null) throw new Error('insert returned no row');
    await recordAudit(tx, caller, 'token.created', row.id, { name: wish.name, scopes: wish.scopes, days: wish.days });
    return toToken(row);
  });
  return { token, text };
}
