import { MikroORM } from '@mikro-orm/postgresql';
import { PostgresDialect } from 'kysely';
import pg from 'pg';
import { Problem } from '@trainyard/plugin-sdk';
import { entities } from '../entities.ts';
import type { PostgresConnection } from './embedded-postgres.ts';

export interface Database {
  /** One pool for the ORM, better-auth and raw statements. */
  readonly pool: pg.Pool;
  readonly orm: MikroORM;
  /** How to open further connections, such as the one that listens. */
  readonly connection: pg.ClientConfig;
  /** Waits for statements in flight. Idempotent. */
  close(): Promise<void>;
}

export interface OpenDatabaseOptions {
  readonly url?: string;
  readonly connection?: PostgresConnection;
  readonly poolSize?: number;
}

const INT8 = 20;
const DATE = 1082;

/** `bigint` (count, sums, sizes) as number, `date` as its own text; timestamps stay Date. */
const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8 && format !== 'binary') return parseInt8;
    if (oid === DATE && format !== 'binary') return (text: string) => text;
    return pg.types.getTypeParser(oid, format);
  },
};

function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a number; cast it to text`);
  return value;
}

/** Opens the pool and checks that the database can hold our text. Migrations are not run here. */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const connection: pg.ClientConfig = {
    ...(options.url === undefined ? options.connection : { connectionString: options.url }),
    application_name: 'trainyard-hub',
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 60_000,
    types,
  };
  const pool = new pg.Pool({
    ...connection,
    max: options.poolSize ?? 20,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // A dropped idle connection is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  try {
    await assertDatabase(pool);
    const orm = await MikroORM.init({
      driverOptions: new PostgresDialect({ pool }),
      dbName: 'trainyard',
      entities: [...entities],
      discovery: { warnWhenNoEntities: false },
      ensureDatabase: false,
      timezone: 'UTC',
    });
    let closed: Promise<void> | null = null;
    return {
      pool,
      orm,
      connection,
      close() {
        closed ??= orm.close(true).then(() => (pool.ended ? undefined : pool.end()));
        return closed;
      },
    };
  } catch (error) {
    if (!pool.ended) await pool.end();
    throw error;
  }
}

/** Wrong encoding or LC_CTYPE loses letters outside ASCII without a sound, so we refuse to start on it. */
export async function assertDatabase(pool: pg.Pool): Promise<void> {
  const { rows } = await pool
    .query<{ encoding: string; version: number }>(
      `select current_setting('server_encoding') as encoding, current_setting('server_version_num')::int as version`,
    )
    .catch((error: unknown) => {
      throw new Problem('unavailable', {
        detail: `The database does not answer: ${error instanceof Error ? error.message : String(error)}`,
        fix: 'Check DATABASE_URL, or unset it to use the PostgreSQL that Trainyard brings.',
        cause: error,
      });
    });
  const found = rows[0];
  if (found === undefined || found.version < 150_000) {
    throw new Problem('unavailable', { detail: 'PostgreSQL is older than 15.', fix: 'Use PostgreSQL 15 or newer.' });
  }
  await pool.query('create extension if not exists pg_trgm').catch(ignoreRace);
  const { rows: proof } = await pool.query<{ works: boolean }>(`select show_trgm('탐지') <> '{}' as works`);
  if (found.encoding === 'UTF8' && proof[0]?.works === true) return;
  throw new Problem('unavailable', {
    detail: `The database has encoding ${found.encoding} or a locale that drops letters outside ASCII.`,
    fix: `Make one with: create database trainyard encoding 'UTF8' lc_ctype 'C.UTF-8' template template0`,
  });
}

/** Two hubs that make the same extension at once: one of them gets a unique violation, the extension is there. */
function ignoreRace(error: unknown): void {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === '23505') return;
  throw error;
}
