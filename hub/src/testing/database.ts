import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { openDatabase, type Database } from '../platform/database.ts';
import type { PostgresConnection } from '../platform/embedded-postgres.ts';
import { ensureTemplate, startTestServer, type TestServer } from './server.ts';

export const SERVER_VARIABLE = 'TRAINYARD_TEST_POSTGRES';

export interface TestDatabase extends Database {
  readonly settings: PostgresConnection;
}

let own: Promise<TestServer> | null = null;
let users = 0;

/**
 * A fresh migrated database. Call it in `before`, `close()` in `after`: closing drops it. Uses the server of the global
 * set-up; a test file run alone starts its own, which the last `close()` stops.
 */
export async function testDatabase(options: { poolSize?: number } = {}): Promise<TestDatabase> {
  const given = process.env[SERVER_VARIABLE];
  users += 1;
  const connection = given === undefined ? (await (own ??= startTestServer())).connection : parseConnection(given);
  const template = await ensureTemplate(connection);
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(connection, `create database ${name} template ${template} strategy wal_log`);
  const settings = { ...connection, database: name };
  const database = await openDatabase({ connection: settings, poolSize: options.poolSize ?? 8 });
  let closed: Promise<void> | null = null;
  async function close(): Promise<void> {
    await database.close();
    users -= 1;
    if (users === 0 && own !== null) {
      const server = await own;
      own = null;
      await server.stop();
    } else {
      await onServer(connection, `drop database if exists ${name} with (force)`);
    }
  }
  return { ...database, settings, close: () => (closed ??= close()) };
}

async function onServer(connection: PostgresConnection, statement: string): Promise<void> {
  const admin = new pg.Client({ ...connection, database: 'postgres' });
  await admin.connect();
  try {
    await admin.query(statement);
  } finally {
    await admin.end();
  }
}

function parseConnection(text: string): PostgresConnection {
  return JSON.parse(text) as PostgresConnection;
}
