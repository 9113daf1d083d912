export { testDatabase, type TestDatabase } from './database.ts';
export { startTestServer, type TestServer } from './server.ts';
export { testHub, type TestHub } from './test-hub.ts';
