import { newId } from '@trainyard/plugin-sdk';
import type { Tx } from '../platform/transaction.ts';
import { slugWish, withSuffix } from './organization-slug.ts';

export interface OwnOrganization {
  readonly id: string;
  readonly slug: string;
}

/** The personal organisation of a user, made on first need. Idempotent, also when two requests ask at once. */
export async function giveOrganization(
  tx: Tx,
  user: { id: string; name: string; email: string },
): Promise<OwnOrganization> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('organization of ' || $1, 0))`, [user.id]);
  const existing = await findOrganization(tx, user.id);
  if (existing !== null) return existing;
  const wish = slugWish(user.name, user.email);
  for (let attempt = 1; ; attempt += 1) {
    const made = await tx.queryOne<OwnOrganization>(
      `insert into "organization" ("id", "name", "slug", "createdAt") values ($1, $2, $3, now())
       on conflict ("slug") do nothing returning "id", "slug"`,
      [newId(), user.name, withSuffix(wish, attempt)],
    );
    if (made === null) continue;
    await tx.query(
      `insert into "member" ("id", "organizationId", "userId", "role", "createdAt") values ($1, $2, $3, 'manager', now())`,
      [newId(), made.id, user.id],
    );
    return made;
  }
}

async function findOrganization(tx: Tx, userId: string): Promise<OwnOrganization | null> {
  return tx.queryOne<OwnOrganization>(
    `select o."id", o."slug" from "member" m join "organization" o on o."id" = m."organizationId"
     where m."userId" = $1 and m."role" = 'manager' order by m."createdAt", m."id" limit 1`,
    [userId],
  );
}
