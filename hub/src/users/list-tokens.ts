import { requireUser } from '../platform/access.ts';
import type { Database } from '../platform/database.ts';
import type { Principal } from '../platform/principal.ts';
import { query } from '../platform/sql.ts';

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly start: string;
  readonly hash: string;
  readonly scopes: string[];
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly last_used_at: Date | null;
}
/** As the API shows it: never the text, never the hash. */
export interface TokenView {
  id: string;
  name: string;
  prefix: string;
  scopes: string[];
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
}

export function toToken(row: TokenRow): TokenView {
  return {
    id: row.id,
    name: row.name,
    prefix: row.start,
    scopes: row.scopes,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  };
}

/** Tokens of the caller, newest first, expired ones too. */
export async function listTokens(deps: { db: Pick<Database, 'pool'> }, principal: Principal): Promise<TokenView[]> {
  const user = requireUser(principal);
  const rows = await query<TokenRow>(
    deps.db.pool,
    'select * from access_token where user_id = $1 order by created_at desc, id desc limit 200',
    [user.userId],
  );
  return rows.map(toToken);
}
