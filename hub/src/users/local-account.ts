import { newId } from '@trainyard/plugin-sdk';
import type { Database } from '../platform/database.ts';
import type { Principal } from '../platform/principal.ts';
import { query } from '../platform/sql.ts';
import { inTransaction } from '../platform/transaction.ts';
import { createToken } from './create-token.ts';
import { giveOrganization } from './give-organization.ts';

const EMAIL = 'local@trainyard.invalid';
const NAME = 'Local';

/**
 * Token of the account that whoever owns the folder of state may use on this machine, such as `npm run demo`. It has no password, so nobody signs in with
 * it, and it is no administrator. Earlier tokens of it end.
 */
export async function issueLocalToken(deps: { db: Database }): Promise<string> {
  const principal = await inTransaction(deps.db, async (tx): Promise<Principal> => {
    await tx.query(
      `insert into "user" ("id", "name", "email", "emailVerified") values ($1, $2, $3, true) on conflict ("email") do nothing`,
      [newId(), NAME, EMAIL],
    );
    const user = await tx.queryOne<{ id: string }>('select "id" from "user" where "email" = $1', [EMAIL]);
    if (user === null) throw new Error('the local account was just made');
    const own = await giveOrganization(tx, { id: user.id, name: NAME, email: EMAIL });
    return {
      kind: 'user',
      userId: user.id,
      email: EMAIL,
      name: NAME,
      organizationId: own.id,
      organizationSlug: own.slug,
      isAdmin: false,
      via: 'session',
      scopes: null,
    };
  });
  if (principal.kind === 'user')
    await query(deps.db.pool, 'delete from access_token where user_id = $1', [principal.userId]);
  const scopes = [
    'catalog:read',
    'runs:read',
    'runs:write',
    'datasets:read',
    'datasets:write',
    'exports:read',
    'exports:write',
    'trainers:publish',
  ];
  return (await createToken(deps, { principal }, { name: 'this machine', scopes, days: 7 })).text;
}
