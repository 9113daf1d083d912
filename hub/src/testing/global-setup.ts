import { ensureTemplate, startTestServer, type TestServer } from './server.ts';
import { SERVER_VARIABLE } from './database.ts';

/** For `node --test --test-global-setup`: one PostgreSQL per test run; test files inherit its address. */
let server: TestServer | null = null;

export async function globalSetup(): Promise<void> {
  server = await startTestServer();
  await ensureTemplate(server.connection);
  process.env[SERVER_VARIABLE] = JSON.stringify(server.connection);
}

export async function globalTeardown(): Promise<void> {
  await server?.stop();
}
