import { hashPassword } from 'better-auth/crypto';
import { newId, Problem } from '@trainyard/plugin-sdk';
import { recordAudit } from '../audit/record-audit.ts';
import type { Database } from '../platform/database.ts';
import { isUniqueViolation, query, queryOne } from '../platform/sql.ts';
import { inTransaction } from '../platform/transaction.ts';
import { MIN_PASSWORD } from './auth.ts';
import { giveOrganization } from './give-organization.ts';
import { hashToken, isTokenText, newTokenText } from './token-text.ts';

const VALID_MS = 3600 * 1000;

interface StoredToken {
  readonly hash: string;
  readonly expiresAt: number;
}

export async function needsSetUp(deps: { db: Pick<Database, 'pool'> }): Promise<boolean> {
  const rows = await query(deps.db.pool, `select 1 from "user" where "role" = 'admin' limit 1`);
  return rows.length === 0;
}

/**
 * On each start: null when an administrator exists, else the text of a new one-time token, valid for an hour. The
 * earlier token ends. Print it as a link; it is stored nowhere.
 */
export async function prepareSetUp(deps: { db: Database }, now: number): Promise<string | null> {
  if (!(await needsSetUp(deps))) return null;
  const text = newTokenText('ty_s_');
  const value: StoredToken = { hash: hashToken(text), expiresAt: now + VALID_MS };
  await query(
    deps.db.pool,
    `insert into installation (key, value) values ('set-up', $1) on conflict (key) do update set value = excluded.value`,
    [JSON.stringify(value)],
  );
  return text;
}

/** Makes the first administrator. The token works once: of two requests at the same time one gets `link-expired`. */
export async function completeSetUp(
  deps: { db: Database },
  wish: { token: string; email: string; name: string; password: string },
  now: number,
): Promise<{ organization: string; userId: string }> {
  const email = wish.email.trim().toLowerCase();
  const name = wish.name.trim();
  if (!/^[^\s@]+@[^\s@]+$/.test(email)) {
    throw new Problem('bad-request', {
      detail: `${email} is no e-mail address.`,
      fix: 'Write it as name@example.org.',
    });
  }
  if (name === '' || wish.password.length < MIN_PASSWORD) {
    throw new Problem('bad-request', {
      detail: `A name and a password of at least ${MIN_PASSWORD} characters are needed.`,
      fix: 'Fill in both.',
    });
  }
  // Before the costly hash, so that guessing costs us nothing.
  const stored = await queryOne<{ value: StoredToken }>(
    deps.db.pool,
    `select value from installation where key = 'set-up'`,
  );
  requireValid(stored?.value, wish.token, now);
  const password = await hashPassword(wish.password);
  try {
    return await inTransaction(deps.db, async (tx) => {
      const locked = await tx.queryOne<{ value: StoredToken }>(
        `delete from installation where key = 'set-up' returning value`,
      );
      requireValid(locked?.value, wish.token, now);
      const admins = await tx.query(`select 1 from "user" where "role" = 'admin' limit 1`);
      if (admins.length > 0) throw spent();
      const userId = newId();
      await tx.query(
        `insert into "user" ("id", "name", "email", "emailVerified", "role") values ($1, $2, $3, true, 'admin')`,
        [userId, name, email],
      );
      await tx.query(
        `insert into "account" ("id", "accountId", "providerId", "userId", "password", "updatedAt")
         values ($1, $2, 'credential', $2, $3, now())`,
        [newId(), userId, password],
      );
      const organization = await giveOrganization(tx, { id: userId, name, email });
      const caller = { principal: { kind: 'system' } } as const;
      await recordAudit(tx, caller, 'user.registered', userId, { email, role: 'admin', by: 'set-up link' });
      return { organization: organization.slug, userId };
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Problem('conflict', {
      detail: `${email} has an account already.`,
      fix: 'Use another e-mail address for the administrator.',
    });
  }
}

function requireValid(stored: StoredToken | undefined, text: string, now: number): void {
  const right = stored !== undefined && isTokenText(text, 'ty_s_') && hashToken(text) === stored.hash;
  if (!right || stored.expiresAt <= now) throw spent();
}

function spent(): Problem {
  return new Problem('link-expired', {
    detail: 'This set-up link is used up, expired or incomplete.',
    fix: 'Restart Trainyard: as long as there is no administrator it prints a new link.',
  });
}
