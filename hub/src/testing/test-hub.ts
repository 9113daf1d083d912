import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LEASE, type LeaseTimings } from '@trainyard/plugin-sdk';
import { SCOPES } from '@trainyard/plugin-sdk/api';
import { SchemaWorkerPool } from '@trainyard/plugin-sdk/config/schema-worker';
import type { LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { buildHub, FOLLOWERS, type Hub, type HubParts } from '../app.ts';
import { openFsStore } from '../blobs/fs-store.ts';
import type { JobFollowers } from '../jobs/job.ts';
import { openEventBus } from '../platform/event-bus.ts';
import { openAuth } from '../users/auth.ts';
import { createAuthenticator } from '../users/authenticate.ts';
import { issueAgentKey } from '../users/issue-agent-key.ts';
import { completeSetUp, prepareSetUp } from '../users/set-up.ts';
import { testDatabase } from './database.ts';

export interface Caller {
  readonly headers: Readonly<Record<string, string>>;
  readonly organization: string;
}
export interface CallOptions {
  readonly as?: Caller;
  readonly json?: unknown;
  readonly body?: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}
export interface TestHub {
  readonly hub: Hub;
  readonly deps: HubParts & { readonly followers: JobFollowers };
  readonly blobFolder: string;
  readonly admin: Caller;
  readonly agent: Caller;
  /** Bodies that the registry was sent, oldest first. */
  readonly registered: string[];
  call(method: string, url: string, options?: CallOptions): Promise<LightMyRequestResponse>;
  /** Signs up through the real route; the session counts everywhere. */
  signUp(name: string): Promise<Caller>;
  token(owner: Caller, scopes?: readonly string[]): Promise<Caller>;
  agentKey(agent: string): Promise<Caller>;
  /** Listens on a free port; needed by live streams. */
  listen(): Promise<string>;
  /** Relative paths of every file below the blob folder. */
  files(): Promise<string[]>;
  count(sql: string, params?: readonly unknown[]): Promise<number>;
  close(): Promise<void>;
}

const PUBLIC_URL = 'http://localhost:8080';
const PASSWORD = 'correct horse';
export const REFERENCE_FOLDER = fileURLToPath(new URL('../../../plugin-sdk/reference-trainer', import.meta.url));
export const DIGITS_ZIP = fileURLToPath(new URL('../../../plugin-sdk/samples/digits.zip', import.meta.url));

/** A registry that takes every release; the real one is tested end to end. */
async function openRegistry(registered: string[]): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      registered.push(Buffer.concat(parts).toString());
      response.writeHead(201, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the registry has no port');
  return { server, url: `http://127.0.0.1:${address.port}` };
}

/** The whole hub over a database and a blob folder of its own. Nothing runs by itself: tests call the chores. */
export async function testHub(
  options: { timings?: Partial<LeaseTimings>; blobRoot?: string; fetchHosts?: readonly string[] } = {},
): Promise<TestHub> {
  const db = await testDatabase();
  const home = await mkdtemp(join(tmpdir(), 'ty-hub-'));
  const blobFolder = options.blobRoot ?? join(home, 'blobs');
  const bus = await openEventBus(db.connection, db.pool);
  const auth = openAuth({ db, publicUrl: PUBLIC_URL, secret: randomBytes(32).toString('base64url') });
  const authenticator = createAuthenticator({ db, auth, publicUrl: PUBLIC_URL, bus });
  const registered: string[] = [];
  const registry = await openRegistry(registered);
  const clock = { now: () => Date.now() };
  const parts: HubParts = {
    db,
    bus,
    clock,
    log: pino({ level: process.env['TRAINYARD_TEST_LOG'] ?? 'silent' }),
    auth,
    authenticator,
    blobs: openFsStore(blobFolder),
    schemas: new SchemaWorkerPool(),
    ticketSecret: randomBytes(32).toString('base64url'),
    registry: { url: registry.url, secret: 'boot-secret' },
    publicUrl: PUBLIC_URL,
    hubUrl: '',
    scratch: join(blobFolder, 'uploads'),
    fetchHosts: options.fetchHosts ?? [],
    timings: { ...LEASE, ...options.timings },
    trustProxy: false,
    siteUrl: null,
    version: 'test',
  };
  const hub = await buildHub(parts);

  async function call(method: string, url: string, wish: CallOptions = {}): Promise<LightMyRequestResponse> {
    return hub.app.inject({
      method: method as 'GET',
      url,
      headers: {
        origin: PUBLIC_URL,
        ...(wish.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...wish.as?.headers,
        ...wish.headers,
      },
      ...(wish.json === undefined ? {} : { payload: JSON.stringify(wish.json) }),
      ...(wish.body === undefined ? {} : { payload: wish.body }),
    });
  }
  async function session(path: string, body: object): Promise<Caller> {
    const answer = await call('POST', `/api/auth/${path}`, { json: body });
    const cookie = [answer.headers['set-cookie'] ?? []].flat()[0]?.split(';')[0];
    if (answer.statusCode !== 200 || cookie === undefined) throw new Error(`${path}: ${answer.body}`);
    const me = await call('GET', '/api/v1/me', { headers: { cookie } });
    return { headers: { cookie }, organization: String(me.json().user.organization) };
  }
  const agents = new Map<string, Caller>();
  async function agentKey(agent: string): Promise<Caller> {
    const known = agents.get(agent);
    if (known !== undefined) return known;
    const text = await issueAgentKey({ db }, { agentId: agent, hours: null });
    const caller: Caller = { headers: { authorization: `Bearer ${text}` }, organization: '' };
    agents.set(agent, caller);
    return caller;
  }

  const token = await prepareSetUp({ db }, Date.now());
  const email = 'admin@example.org';
  await completeSetUp({ db }, { token: token ?? '', email, name: 'Admin', password: PASSWORD }, Date.now());
  const admin = await session('sign-in/email', { email, password: PASSWORD });
  const agent = await agentKey('runner-1');
  return {
    hub,
    deps: { ...parts, followers: FOLLOWERS },
    blobFolder,
    admin,
    agent,
    registered,
    call,
    agentKey,
    signUp: (name) =>
      session('sign-up/email', { name, email: `${name.toLowerCase()}@example.org`, password: PASSWORD }),
    async token(owner, scopes = SCOPES) {
      const made = await call('POST', '/api/v1/tokens', { as: owner, json: { name: 'test', scopes, days: 1 } });
      if (made.statusCode !== 201) throw new Error(made.body);
      return { headers: { authorization: `Bearer ${String(made.json().text)}` }, organization: owner.organization };
    },
    listen: () => hub.app.listen({ port: 0, host: '127.0.0.1' }),
    async files() {
      const all = await readdir(blobFolder, { recursive: true, withFileTypes: true }).catch(() => []);
      return all
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(blobFolder.length + 1))
        .sort();
    },
    async count(sql, params = []) {
      const { rows } = await db.pool.query<{ count: number }>(`select count(*)::int as count from ${sql}`, [...params]);
      return rows[0]?.count ?? 0;
    },
    async close() {
      hub.app.server.closeAllConnections();
      await hub.app.close();
      await hub.journal.drain();
      await parts.schemas.close();
      authenticator.close();
      registry.server.closeAllConnections();
      await new Promise((done) => registry.server.close(done));
      await bus.close();
      await db.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
