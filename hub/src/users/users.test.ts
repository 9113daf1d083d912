import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Problem, type ProblemCode } from '@trainyard/plugin-sdk';
import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { openEventBus, type EventBus } from '../platform/event-bus.ts';
import { createServer } from '../platform/serve.ts';
import { query } from '../platform/sql.ts';
import { testDatabase, type TestDatabase } from '../testing/index.ts';
import { openAuth, type Auth } from './auth.ts';
import { createAuthenticator, type Authenticator } from './authenticate.ts';
import { setSignUpOpen } from './installation-setting.ts';
import { issueAgentKey, revokeAgentKeys } from './issue-agent-key.ts';
import { userRoutes } from './routes.ts';
import { completeSetUp, needsSetUp, prepareSetUp } from './set-up.ts';

const PUBLIC_URL = 'http://localhost:8080';
const SECRET = 'test secret of the users room, long enough';
const HOUR = 3600_000;
const DAY = 24 * HOUR;

let db: TestDatabase;
let bus: EventBus;
let auth: Auth;
let authenticator: Authenticator;
let app: FastifyInstance;

before(async () => {
  db = await testDatabase();
  bus = await openEventBus(db.connection, db.pool);
  auth = openAuth({ db, publicUrl: PUBLIC_URL, secret: SECRET });
  authenticator = createAuthenticator({ db, auth, publicUrl: PUBLIC_URL, bus });
  app = await serveUsers(authenticator);
});
after(async () => {
  await app.close();
  authenticator.close();
  await bus.close();
  await db.close();
});

async function serveUsers(authority: Authenticator): Promise<FastifyInstance> {
  const deps = {
    db,
    auth,
    authenticator: authority,
    publicUrl: PUBLIC_URL,
    log: pino({ level: 'silent' }),
    authenticate: (request: { method: string; headers: Record<string, string | string[] | undefined> }) =>
      authority.authenticateRequest(request, Date.now()),
  };
  const server = await createServer(deps, { trustProxy: false });
  userRoutes(server, deps);
  return server;
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
  cookie: string;
  setCookie: string;
}
async function call(
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  options: { body?: object; headers?: Record<string, string>; server?: FastifyInstance } = {},
): Promise<Answer> {
  const answer = await (options.server ?? app).inject({
    method,
    url,
    headers: { origin: PUBLIC_URL, ...options.headers },
    ...(options.body === undefined ? {} : { payload: options.body }),
  });
  const setCookie = [answer.headers['set-cookie'] ?? []].flat().join('\n');
  return {
    status: answer.statusCode,
    body: answer.body === '' ? {} : answer.json(),
    cookie: setCookie.split('\n')[0]?.split(';')[0] ?? '',
    setCookie,
  };
}
const PASSWORD = 'correct horse';
async function signUp(name: string, email: string): Promise<string> {
  const answer = await call('POST', '/api/auth/sign-up/email', { body: { name, email, password: PASSWORD } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.cookie;
}
function hasCode(code: ProblemCode): (error: unknown) => boolean {
  return (error) => error instanceof Problem && error.code === code;
}
function textIn(body: Record<string, unknown>, key: string): string {
  const value = body[key];
  assert.ok(typeof value === 'string', `${key} in ${JSON.stringify(body)}`);
  return value;
}

test('before the set-up: a wrong, an expired and a replaced token are refused', async () => {
  assert.equal(await needsSetUp({ db }), true);
  const now = Date.now();
  const first = await prepareSetUp({ db }, now);
  const second = await prepareSetUp({ db }, now);
  assert.ok(first !== null && second !== null);
  const wish = { email: 'root@example.org', name: 'Root', password: PASSWORD };
  for (const token of ['', 'ty_s_nonsense', first]) {
    await assert.rejects(completeSetUp({ db }, { ...wish, token }, now), hasCode('link-expired'));
  }
  await assert.rejects(completeSetUp({ db }, { ...wish, token: second }, now + HOUR), hasCode('link-expired'));
  await assert.rejects(
    completeSetUp({ db }, { ...wish, token: second, password: 'short' }, now),
    hasCode('bad-request'),
  );
  assert.equal(await needsSetUp({ db }), true);
});

test('two set-up requests at once make one administrator; the token works once; the next start prints none', async () => {
  const token = await prepareSetUp({ db }, Date.now());
  assert.ok(token !== null);
  const [first, second] = await Promise.all(
    ['ada@example.org', 'eve@example.org'].map((email) =>
      call('POST', '/api/v1/set-up', { body: { token, email, name: 'Ada Lovelace', password: PASSWORD } }),
    ),
  );
  assert.deepEqual(
    [first?.status, second?.status].toSorted((a, b) => Number(a) - Number(b)),
    [201, 410],
  );
  assert.equal((await query(db.pool, `select 1 from "user" where "role" = 'admin'`)).length, 1);
  assert.equal(await prepareSetUp({ db }, Date.now()), null);
  const again = await call('POST', '/api/v1/set-up', {
    body: { token, email: 'x@example.org', name: 'X', password: PASSWORD },
  });
  assert.equal(again.body['code'], 'link-expired');

  const email = first?.status === 201 ? 'ada@example.org' : 'eve@example.org';
  const signIn = await call('POST', '/api/auth/sign-in/email', { body: { email, password: PASSWORD } });
  assert.equal(signIn.status, 200);
  const me = await call('GET', '/api/v1/me', { headers: { cookie: signIn.cookie } });
  assert.deepEqual(me.body['needsSetUp'], false);
  assert.match(JSON.stringify(me.body['user']), /"organization":"ada-lovelace","isAdmin":true/);
});

test('sign-up gives a session, a personal organisation with a free slug, and no rights', async () => {
  const cookies = await Promise.all([
    signUp('Ada Lovelace', 'ada2@example.org'),
    signUp('Trainyard', 'admin@example.org'),
    signUp('탐지', 'zoe.k@example.org'),
  ]);
  const slugs = await Promise.all(
    cookies.map(async (cookie) => {
      const principal = await authenticator.authenticate({ cookie }, Date.now());
      assert.ok(principal.kind === 'user' && principal.via === 'session' && principal.scopes === null);
      assert.equal(principal.isAdmin, false);
      return principal.organizationSlug;
    }),
  );
  assert.deepEqual(slugs, ['ada-lovelace-2', 'member', 'zoe-k']);
  assert.equal((await query(db.pool, `select 1 from "organization" where "slug" = 'trainyard'`)).length, 1);
});

test('nobody makes himself administrator by extra fields; short passwords and taken addresses are refused', async () => {
  const greedy = await call('POST', '/api/auth/sign-up/email', {
    body: { name: 'Eve', email: 'greedy@example.org', password: PASSWORD, role: 'admin' },
  });
  assert.equal(greedy.status, 200);
  const rows = await query<{ role: string }>(db.pool, `select "role" from "user" where "email" = 'greedy@example.org'`);
  assert.equal(rows[0]?.role, 'user');
  const short = await call('POST', '/api/auth/sign-up/email', {
    body: { name: 'E', email: 'e@example.org', password: '1234567' },
  });
  assert.equal(short.body['code'], 'bad-request');
  const taken = await call('POST', '/api/auth/sign-up/email', {
    body: { name: 'E', email: 'Greedy@example.org', password: PASSWORD },
  });
  assert.equal(taken.body['code'], 'conflict');
});

test('a closed installation takes no newcomers', async () => {
  await setSignUpOpen(db, false);
  const refused = await call('POST', '/api/auth/sign-up/email', {
    body: { name: 'N', email: 'new@example.org', password: PASSWORD },
  });
  assert.equal(refused.body['code'], 'forbidden');
  await setSignUpOpen(db, true);
});

test('the session token is in an HttpOnly cookie only, on https with the __Host- prefix', async () => {
  const answer = await call('POST', '/api/auth/sign-up/email', {
    body: { name: 'Cookie', email: 'c@example.org', password: PASSWORD },
  });
  assert.match(answer.setCookie, /^trainyard\.session_token=[^;]+; .*HttpOnly; SameSite=Lax/i);
  assert.doesNotMatch(answer.setCookie, /Secure|Domain/);
  assert.doesNotMatch(JSON.stringify(answer.body), /"token"/);
  const session = await call('GET', '/api/auth/get-session', { headers: { cookie: answer.cookie } });
  assert.match(JSON.stringify(session.body), /c@example\.org/);
  assert.doesNotMatch(JSON.stringify(session.body), /"token"/);

  const secure = openAuth({ db, publicUrl: 'https://yard.example', secret: SECRET });
  const reply = await secure.handler(
    new Request('https://yard.example/api/auth/sign-in/email', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'https://yard.example' },
      body: JSON.stringify({ email: 'c@example.org', password: PASSWORD }),
    }),
  );
  const [cookie] = reply.headers.getSetCookie();
  assert.match(cookie ?? '', /^__Host-trainyard\.session_token=/);
  assert.match(cookie ?? '', /; Secure/);
  const authority = createAuthenticator({ db, auth: secure, publicUrl: 'https://yard.example' });
  assert.equal((await authority.authenticate({ cookie: cookie?.split(';')[0] }, Date.now())).kind, 'user');
});

test('sign-out, a changed password and a forged cookie end or refuse the session', async () => {
  const cookie = await signUp('Out', 'out@example.org');
  const kindOf = async (value: string): Promise<string> =>
    (await authenticator.authenticate({ cookie: value }, Date.now())).kind;
  assert.equal(await kindOf(cookie), 'user');
  assert.equal(await kindOf(`${cookie.slice(0, -6)}AAAAAA`), 'anonymous');
  const other = (
    await call('POST', '/api/auth/sign-in/email', { body: { email: 'out@example.org', password: PASSWORD } })
  ).cookie;
  const changed = await call('POST', '/api/auth/change-password', {
    headers: { cookie: other },
    body: { currentPassword: PASSWORD, newPassword: 'a new password' },
  });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.equal(await kindOf(cookie), 'anonymous');
  assert.equal(await kindOf(changed.cookie), 'user');
  await call('POST', '/api/auth/sign-out', { headers: { cookie: changed.cookie } });
  assert.equal(await kindOf(changed.cookie), 'anonymous');
});

test('a session ends after 7 quiet days', async () => {
  const cookie = await signUp('Idle', 'idle@example.org');
  const start = Date.now();
  assert.equal((await authenticator.authenticate({ cookie }, start + 6 * DAY)).kind, 'user');
  assert.equal((await authenticator.authenticate({ cookie }, start + 12 * DAY)).kind, 'user', 'used on day 6');
  assert.equal((await authenticator.authenticate({ cookie }, start + 20 * DAY)).kind, 'anonymous');
  assert.equal((await authenticator.authenticate({ cookie }, Date.now())).kind, 'anonymous', 'and stays ended');
});

test('changes with a cookie from another origin are refused, the public address and its loopback spelling pass', async () => {
  const cookie = await signUp('Site', 'site@example.org');
  const body = { name: 't', scopes: ['runs:read'], days: 1 };
  const foreign = await call('POST', '/api/v1/tokens', { body, headers: { cookie, origin: 'https://evil.example' } });
  assert.equal(foreign.body['code'], 'csrf');
  const noOrigin = await app.inject({
    method: 'POST',
    url: '/api/v1/tokens',
    payload: body,
    headers: { cookie, 'sec-fetch-site': 'cross-site' },
  });
  assert.equal(noOrigin.statusCode, 403);
  const signIn = await call('POST', '/api/auth/sign-in/email', {
    body: { email: 'site@example.org', password: PASSWORD },
    headers: { origin: 'https://evil.example' },
  });
  assert.equal(signIn.body['code'], 'csrf');
  assert.equal(
    (await call('POST', '/api/v1/tokens', { body, headers: { cookie, origin: 'http://127.0.0.1:8080' } })).status,
    201,
  );
});

test('only the listed endpoints of the library are reachable', async () => {
  const cookie = await signUp('Closed', 'closed@example.org');
  for (const path of [
    'organization/create',
    'organization/list',
    'admin/list-users',
    'admin/set-role',
    'update-user',
    'delete-user',
    'list-sessions',
    'api-key/create',
    'sign-in/social',
    'ok',
  ]) {
    for (const method of ['GET', 'POST'] as const) {
      const answer = await call(method, `/api/auth/${path}`, {
        headers: { cookie },
        ...(method === 'POST' ? { body: {} } : {}),
      });
      assert.equal(answer.status, 404, `${method} ${path}`);
    }
  }
});

test('guessing a password is slowed down', async () => {
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 12; attempt += 1) {
    statuses.push(
      (await call('POST', '/api/auth/sign-in/email', { body: { email: 'idle@example.org', password: 'wrong wrong' } }))
        .status,
    );
  }
  assert.equal(statuses[0], 401);
  assert.deepEqual(statuses.slice(-2), [429, 429]);
});

test('a token: shown once, its scopes in the principal, expiry, 1,000 verifications, revoked in time', async () => {
  const cookie = await signUp('Token Holder', 'token@example.org');
  const made = await call('POST', '/api/v1/tokens', {
    headers: { cookie },
    body: { name: 'ci', scopes: ['trainers:publish', 'catalog:read'], days: 30 },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const text = textIn(made.body, 'text');
  assert.match(text, /^ty_u_[0-9A-Za-z]{33}$/);
  const headers = { authorization: `Bearer ${text}` };
  const now = Date.now();
  const principal = await authenticator.authenticate(headers, now);
  assert.ok(principal.kind === 'user' && principal.via === 'token');
  assert.deepEqual(principal.scopes, ['trainers:publish', 'catalog:read']);
  assert.equal(principal.organizationSlug, 'token-holder');
  for (let turn = 0; turn < 1000; turn += 1) {
    // Every tenth one past the cache, so that the table is asked too.
    const at = now + turn * 501;
    assert.equal((await authenticator.authenticate(headers, at)).kind, 'user');
  }

  const list = await call('GET', '/api/v1/tokens', { headers: { cookie } });
  assert.match(JSON.stringify(list.body), /"name":"ci","prefix":"ty_u_/);
  assert.ok(!JSON.stringify(list.body).includes(text));
  const stored = await query<{ all: string }>(
    db.pool,
    'select row_to_json(access_token)::text as all from access_token',
  );
  assert.ok(!JSON.stringify(stored).includes(text));

  const withToken = await call('POST', '/api/v1/tokens', {
    headers,
    body: { name: 'more', scopes: ['runs:write'], days: 1 },
  });
  assert.equal(withToken.body['code'], 'forbidden');
  await assert.rejects(authenticator.authenticate(headers, now + 31 * DAY), hasCode('token-expired'));
  await assert.rejects(
    authenticator.authenticate(headers, now + 31 * DAY),
    hasCode('token-expired'),
    'the second time too',
  );

  const otherHub = createAuthenticator({ db, auth, publicUrl: PUBLIC_URL, bus });
  assert.equal((await otherHub.authenticate(headers, now)).kind, 'user');
  const id = String(Reflect.get(Object(made.body['token']), 'id'));
  const stranger = await signUp('Stranger', 'stranger@example.org');
  assert.equal((await call('DELETE', `/api/v1/tokens/${id}`, { headers: { cookie: stranger } })).status, 404);
  assert.equal((await call('DELETE', `/api/v1/tokens/${id}`, { headers: { cookie } })).status, 204);
  await assert.rejects(authenticator.authenticate(headers, now), hasCode('not-authenticated'));
  await assert.rejects(otherHub.authenticate(headers, now + 5001), hasCode('not-authenticated'), 'without any hint');
  otherHub.close();
});

test('tokens need a known scope and an expiry of at most 90 days', async () => {
  const cookie = await signUp('Strict', 'strict@example.org');
  for (const body of [
    { name: 'a', scopes: ['runs:read'], days: 91 },
    { name: 'a', scopes: ['runs:read'] },
    { name: 'a', scopes: [], days: 1 },
    { name: 'a', scopes: ['admin'], days: 1 },
  ]) {
    const answer = await call('POST', '/api/v1/tokens', { headers: { cookie }, body });
    assert.equal(answer.status, 400, JSON.stringify(body));
  }
});

test('bad credentials are refused, not taken for a visitor', async () => {
  for (const authorization of [
    'Bearer ty_u_000000000000000000000000000000000',
    'Bearer x',
    'Basic dGVzdDp0ZXN0',
    'Bearer ',
  ]) {
    await assert.rejects(authenticator.authenticate({ authorization }, Date.now()), hasCode('not-authenticated'));
  }
  assert.equal((await authenticator.authenticate({}, Date.now())).kind, 'anonymous');
});

test('a blocked account loses session and tokens', async () => {
  const cookie = await signUp('Blocked', 'blocked@example.org');
  const made = await call('POST', '/api/v1/tokens', {
    headers: { cookie },
    body: { name: 'ci', scopes: [...api.SCOPES], days: 1 },
  });
  const authorization = `Bearer ${textIn(made.body, 'text')}`;
  await query(db.pool, `update "user" set "banned" = true where "email" = 'blocked@example.org'`);
  authenticator.forget();
  assert.equal((await authenticator.authenticate({ cookie }, Date.now())).kind, 'anonymous');
  await assert.rejects(authenticator.authenticate({ authorization }, Date.now()), hasCode('not-authenticated'));
});

test('an agent key names its agent, expires, and can be revoked', async () => {
  const key = await issueAgentKey({ db }, { agentId: 'runner-1', hours: 24 });
  const headers = { authorization: `Bearer ${key}` };
  const now = Date.now();
  assert.deepEqual(await authenticator.authenticate(headers, now), { kind: 'agent', agentId: 'runner-1' });
  await assert.rejects(authenticator.authenticate(headers, now + 25 * HOUR), hasCode('token-expired'));
  const lasting = await issueAgentKey({ db }, { agentId: 'runner-1', hours: null });
  assert.equal(
    (await authenticator.authenticate({ authorization: `Bearer ${lasting}` }, now + 999 * DAY)).kind,
    'agent',
  );
  assert.equal(await revokeAgentKeys({ db }, 'runner-1'), 2);
  await assert.rejects(authenticator.authenticate(headers, now + 5001), hasCode('not-authenticated'));
});
