import type { EntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';
import type { Database } from './database.ts';
import { isRetryable } from './sql.ts';

/** One transaction. Both members use the same connection; do not keep them after `work` has ended. */
export interface Tx {
  readonly em: EntityManager;
  /** Rows of one statement with `$1` parameters. */
  query<Row extends object>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** First row, or null. */
  queryOne<Row extends object>(sql: string, params?: readonly unknown[]): Promise<Row | null>;
}

const ATTEMPTS = 3;

/**
 * READ COMMITTED; commits when `work` resolves, rolls back when it throws. `work` is run again after a deadlock or
 * serialization failure, so it must do nothing but talk to this transaction.
 */
export async function inTransaction<T>(database: Pick<Database, 'orm'>, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.orm.em.fork().transactional((em) => work(asTx(em)));
    } catch (error) {
      if (attempt >= ATTEMPTS || !isRetryable(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt));
    }
  }
}

function asTx(em: EntityManager): Tx {
  async function query<Row extends object>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    const result = await em.getKysely<Record<string, never>>().executeQuery<Row>(CompiledQuery.raw(sql, [...params]));
    return result.rows;
  }
  return {
    em,
    query,
    async queryOne<Row extends object>(sql: string, params: readonly unknown[] = []) {
      return (await query<Row>(sql, params))[0] ?? null;
    },
  };
}
