import type pg from 'pg';

/** Anything that sends statements: the pool or a client of it. Inside a transaction use `tx.query`. */
export type Queryable = pg.Pool | pg.PoolClient | pg.Client;

/** Rows of one statement with `$1` parameters. The caller names the row; nothing is checked at run time. */
export async function query<Row extends object>(
  on: Queryable,
  text: string,
  params: readonly unknown[] = [],
): Promise<Row[]> {
  const result = await on.query<Row>(text, [...params]);
  return result.rows;
}

export async function queryOne<Row extends object>(
  on: Queryable,
  text: string,
  params: readonly unknown[] = [],
): Promise<Row | null> {
  return (await query<Row>(on, text, params))[0] ?? null;
}

function sqlState(error: unknown): { state: string; constraint: string } {
  // MikroORM wraps the driver's error but copies its members.
  if (typeof error !== 'object' || error === null) return { state: '', constraint: '' };
  const state = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const constraint = 'constraint' in error && typeof error.constraint === 'string' ? error.constraint : '';
  return { state, constraint };
}

/** True for a unique violation, of that constraint or index when one is named. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const found = sqlState(error);
  return found.state === '23505' && (constraint === undefined || found.constraint === constraint);
}

/** A value of the caller that no column can hold: NUL in text, a cursor that is no time or id, a number out of range. */
export function isBadValue(error: unknown): boolean {
  return ['22021', '22P05', '22P02', '22003', '22007', '22008'].includes(sqlState(error).state);
}

/** Serialization failure or deadlock: the same transaction may be tried again. */
export function isRetryable(error: unknown): boolean {
  const { state } = sqlState(error);
  return state === '40001' || state === '40P01';
}
