import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newId } from '@trainyard/plugin-sdk';
import { isEventsPart, isMultipartPart, isStreamPart, ROUTES, SCOPES, type AnyRoute } from '@trainyard/plugin-sdk/api';
import { addDigits, publishReference } from '../testing/sample-trainer.ts';
import { testHub, type Caller, type TestHub } from '../testing/test-hub.ts';

let hub: TestHub;
let mallory: Caller;
let foreign: { run: string; dataset: string; snapshot: string };
before(async () => {
  hub = await testHub();
  mallory = await hub.signUp('Mallory');
  await publishReference(hub);
  const owner = await hub.call('GET', '/api/v1/me', { as: hub.admin });
  const { rows } = await hub.deps.db.pool.query<{ id: string }>('select id from organization where slug = $1', [
    owner.json().user.organization,
  ]);
  const dataset = await addDigits(hub, rows[0]?.id ?? '', 'private');
  const started = await hub.call('POST', '/api/v1/runs', {
    as: hub.admin,
    json: { verb: 'train', trainer: 'trainyard/reference', dataset },
  });
  assert.equal(started.statusCode, 201, started.body);
  const detail = await hub.call('GET', `/api/v1/datasets/${dataset}`, { as: hub.admin });
  foreign = { run: String(started.json().id), dataset, snapshot: String(detail.json().snapshots[0].id) };
});
after(() => hub.close());

function address(route: AnyRoute, ids: Readonly<Record<string, string>>): string {
  const path = route.path.replace(
    /:(\w+)/g,
    (_, name: string) => ids[name] ?? (name === 'version' ? '9.9.9' : newId()),
  );
  const query = ['getImage', 'getReleaseFile', 'getRunPicture'].includes(route.id) ? '?path=a' : '';
  return `${path}${query}`;
}
function send(route: AnyRoute, url: string, as: Caller | null) {
  const bare = route.body === undefined || isStreamPart(route.body) || isMultipartPart(route.body);
  return hub.call(route.method, url, { ...(as === null ? {} : { as }), ...(bare ? {} : { json: {} }) });
}

test('who may not call a route gets 401 or 403 from every route; nobody gets a 5xx', async () => {
  const bare = new Map<string, Caller>();
  for (const scope of SCOPES)
    bare.set(scope, await hub.token(mallory, [SCOPES.find((other) => other !== scope) ?? scope]));
  for (const route of ROUTES.filter((item) => !isEventsPart(item.reply) || item.access !== 'agent')) {
    const url = address(route, {});
    const token = bare.get(route.scope ?? SCOPES[0]) ?? null;
    const callers: [string, Caller | null, boolean][] = [
      ['anonymous', null, route.access === 'public' || route.access === 'visitor'],
      ['user', mallory, route.access !== 'admin' && route.access !== 'agent'],
      ['token without scope', token, false],
      ['agent', hub.agent, route.access === 'agent' || route.access === 'public' || route.access === 'visitor'],
      ['admin', hub.admin, route.access !== 'agent'],
    ];
    for (const [who, caller, allowed] of callers) {
      const { statusCode, body } = await send(route, url, caller);
      const label = `${route.id} as ${who}: ${statusCode} ${body.slice(0, 200)}`;
      assert.ok(statusCode < 500, label);
      if (!allowed) assert.ok(statusCode === 401 || statusCode === 403, label);
      else if (route.method === 'GET') assert.ok(statusCode === 200 || statusCode === 404, label);
      if (statusCode >= 400) {
        const problem = JSON.parse(body) as { code?: string; status?: number };
        assert.ok(typeof problem.code === 'string' && problem.status === statusCode, label);
      }
    }
  }
});

test('ids of somebody else answer exactly like ids that do not exist', async () => {
  for (const route of ROUTES.filter((item) => item.access === 'visitor' || item.access === 'user')) {
    const name = /:(run|dataset|snapshot)\b/.exec(route.path)?.[1];
    if (name !== 'run' && name !== 'dataset' && name !== 'snapshot') continue;
    const json = route.id === 'stopRun' ? { json: { what: 'cancel' } } : {};
    for (const as of route.access === 'user' ? [mallory] : [mallory, undefined]) {
      const by = as === undefined ? json : { as, ...json };
      const theirs = await hub.call(route.method, address(route, foreign), by);
      const absent = await hub.call(route.method, address(route, {}), by);
      assert.equal(theirs.statusCode, 404, `${route.id}: ${theirs.body}`);
      const [one, other] = [theirs.json(), absent.json()];
      assert.deepEqual([one.code, one.detail, one.fix], [other.code, other.detail, other.fix], route.id);
    }
  }
});

test('bad requests are refused in the form of a problem', async () => {
  const as = hub.admin;
  const cases: [number, string, Parameters<TestHub['call']>][] = [
    [400, 'bad-request', ['POST', '/api/v1/projects', { as, json: { name: 'abc', extra: 1 } }]],
    [
      400,
      'bad-request',
      ['POST', '/api/v1/projects', { as, body: '{"name":', headers: { 'content-type': 'application/json' } }],
    ],
    [
      415,
      'unsupported-media',
      ['POST', '/api/v1/projects', { as, body: 'x', headers: { 'content-type': 'text/css' } }],
    ],
    [413, 'too-large', ['POST', '/api/v1/projects', { as, json: { name: 'x'.repeat(2_000_000) } }]],
    [400, 'bad-request', ['GET', '/api/v1/runs?limit=1000']],
    [400, 'bad-request', ['GET', '/api/v1/runs?colour=red']],
    [400, 'bad-request', ['GET', '/api/v1/runs?cursor=nonsense']],
    [400, 'bad-request', ['GET', `/api/v1/runs?cursor=${Buffer.from('["a","b"]').toString('base64url')}`]],
    [400, 'bad-request', ['GET', '/api/v1/trainers?q=%00']],
    [400, 'bad-request', ['GET', '/api/v1/runs/%00']],
    [410, 'link-expired', ['GET', '/blobs/abc.def']],
    [410, 'link-expired', ['GET', '/snapshots/abc']],
    [401, 'not-authenticated', ['GET', '/api/v1/me', { headers: { authorization: 'Bearer nonsense' } }]],
  ];
  for (const [status, code, call] of cases) {
    const answer = await hub.call(...call);
    assert.deepEqual([answer.statusCode, answer.json().code], [status, code], `${call[1]}: ${answer.body}`);
    assert.match(String(answer.headers['content-type']), /^application\/problem\+json/);
  }
});
