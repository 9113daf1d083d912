import type { Database } from '../platform/database.ts';
import { query } from '../platform/sql.ts';

/** Whether strangers may make an account. Open on a fresh installation; an administrator may close it. */
export async function isSignUpOpen(db: Pick<Database, 'pool'>): Promise<boolean> {
  const rows = await query<{ open: boolean }>(
    db.pool,
    `select coalesce((value ->> 'open')::boolean, true) as open from installation where key = 'sign-up'`,
  );
  return rows[0]?.open ?? true;
}

export async function setSignUpOpen(db: Pick<Database, 'pool'>, open: boolean): Promise<void> {
  await query(
    db.pool,
    `insert into installation (key, value) values ('sign-up', jsonb_build_object('open', $1::boolean))
     on conflict (key) do update set value = excluded.value`,
    [open],
  );
}
