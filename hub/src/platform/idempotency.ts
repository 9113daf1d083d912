import { canonicalJson, Problem, sha256 } from '@trainyard/plugin-sdk';
import { queryOne, type Queryable } from './sql.ts';
import type { Tx } from './transaction.ts';

/**
 * Runs `work` at most once per principal and key, in the transaction of the work itself; the same request again gets the stored answer. Two at once: the
 * second waits for the first to commit. The same key with another request is refused.
 */
export async function withIdempotency(
  tx: Tx,
  principal: string,
  key: string | null,
  request: unknown,
  work: () => Promise<string>,
): Promise<string> {
  if (key === null) return work();
  const digest = sha256(canonicalJson(request));
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${principal} ${key}`]);
  const [known] = await tx.query<{ body_digest: string; reply: string }>(
    'select body_digest, reply from idempotency_key where principal = $1 and key = $2',
    [principal, key],
  );
  if (known !== undefined) {
    if (known.body_digest !== digest)
      throw new Problem('idempotency-mismatch', {
        detail: 'This Idempotency-Key was used with another request.',
        fix: 'Take a new key for a new request.',
      });
    return known.reply;
  }
  const reply = await work();
  await tx.query(
    'insert into idempotency_key (principal, key, body_digest, status, reply) values ($1, $2, $3, 200, $4)',
    [principal, key, digest, JSON.stringify(reply)],
  );
  return reply;
}

/** The stored answer of the same request, before anything else is looked at: what it names may have changed since. Null when the key is new. */
export async function storedReply(
  on: Queryable,
  principal: string,
  key: string | null,
  request: unknown,
): Promise<string | null> {
  if (key === null) return null;
  const known = await queryOne<{ body_digest: string; reply: string }>(
    on,
    'select body_digest, reply from idempotency_key where principal = $1 and key = $2',
    [principal, key],
  );
  return known === null || known.body_digest !== sha256(canonicalJson(request)) ? null : known.reply;
}
