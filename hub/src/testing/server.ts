import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openDatabase } from '../platform/database.ts';
import { startPostgres, type PostgresConnection } from '../platform/embedded-postgres.ts';
import { loadMigrations, migrate, migrationsDigest } from '../platform/migrate.ts';

export interface TestServer {
  readonly connection: PostgresConnection;
  stop(): Promise<void>;
}

/** A server without durability in a folder of its own, removed with it. */
export async function startTestServer(): Promise<TestServer> {
  const stateDir = await mkdtemp(join(tmpdir(), 'ty-'));
  const server = await startPostgres({ stateDir, log: () => undefined, fast: true });
  // A test file that dies without its `after` must not leave a server behind.
  const kill = (): void => void process.kill(server.pid, 'SIGQUIT');
  process.once('exit', kill);
  return {
    connection: server.connection,
    async stop() {
      process.off('exit', kill);
      await server.stop('immediate');
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** Name of the migrated template; made when absent, so that changed migrations give another one. Safe to race. */
export async function ensureTemplate(connection: PostgresConnection): Promise<string> {
  const migrations = await loadMigrations();
  const name = `template_${migrationsDigest(migrations).slice(0, 16)}`;
  const admin = new pg.Client({ ...connection, database: 'postgres' });
  await admin.connect();
  try {
    await admin.query('select pg_advisory_lock(7)');
    const { rowCount } = await admin.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount === 0) {
      const half = `${name}_half`;
      await admin.query(`drop database if exists ${half}`);
      await admin.query(`create database ${half}`);
      const database = await openDatabase({ connection: { ...connection, database: half }, poolSize: 1 });
      try {
        await migrate(database.pool, migrations);
      } finally {
        await database.close();
      }
      await admin.query(`alter database ${half} rename to ${name}`);
    }
    return name;
  } finally {
    await admin.end();
  }
}
