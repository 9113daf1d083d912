import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { packageOf, passValidation, reportOn } from '../testing/sample-trainer.ts';
import { testHub, type Caller, type TestHub } from '../testing/test-hub.ts';
import { publishReleases } from '../trainers/publish/publish-releases.ts';
import { fetchWeights } from './fetch-weights.ts';

const BYTES = randomBytes(300_000);
const DIGEST = createHash('sha256').update(BYTES).digest('hex');
const INSIDE = randomBytes(1_000);
const INSIDE_DIGEST = createHash('sha256').update(INSIDE).digest('hex');
const server = createServer((request, response) => {
  if (request.url === '/moved') response.writeHead(302, { location: '/weights.bin' }).end();
  else if (request.url === '/inside') response.writeHead(302, { location: 'http://127.0.0.1:1/x' }).end();
  else if (request.url === '/weights.bin') response.writeHead(200, { 'content-length': BYTES.length }).end(BYTES);
  else response.writeHead(404).end();
});
let hub: TestHub;
let ada: Caller;
let ben: Caller;
let host = '';
before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  host = `127.0.0.1:${address.port}`;
  hub = await testHub({ fetchHosts: [host] });
  ada = await hub.signUp('Ada');
  ben = await hub.signUp('Ben');
});
after(async () => {
  server.close();
  await hub.close();
});

const ask = (as: Caller, url: string, sha256 = DIGEST) =>
  hub.call('POST', '/api/v1/weights/fetch', { as, json: { url, sha256, name: 'w.bin' } });
async function stateOf(as: Caller, sha256 = DIGEST) {
  const { items } = (await hub.call('GET', '/api/v1/weights', { as })).json<{
    items: { sha256: string; state: string; note: string | null; bytes: number | null }[];
  }>();
  return items.find((item) => item.sha256 === sha256);
}
const signal = new AbortController().signal;

test('an uploaded file is kept by its digest for its organisation; a wrong digest or an empty file leaves nothing', async () => {
  const body = Buffer.from('some weights');
  const headers = { 'content-type': 'application/octet-stream' };
  const sha256 = createHash('sha256').update(body).digest('hex');
  const wrong = await hub.call('POST', `/api/v1/weights?name=a.pt&sha256=${DIGEST}`, { as: ada, body, headers });
  assert.equal(wrong.json().code, 'digest-mismatch', wrong.body);
  const empty = await hub.call('POST', '/api/v1/weights?name=a.pt', { as: ada, body: Buffer.alloc(0), headers });
  assert.ok(empty.statusCode >= 400 && empty.statusCode < 500, empty.body);
  const bad = await hub.call('POST', '/api/v1/weights?name=..%2F..', { as: ada, body, headers });
  assert.equal(bad.statusCode, 400, bad.body);
  const good = await hub.call('POST', `/api/v1/weights?name=a.pt&license=MIT`, { as: ada, body, headers });
  assert.equal(good.statusCode, 201, good.body);
  assert.equal(good.json().sha256, sha256);
  const again = await hub.call('POST', `/api/v1/weights?name=a.pt`, { as: ada, body, headers });
  assert.equal(again.json().id, good.json().id);
  assert.equal((await stateOf(ada, sha256))?.state, 'ready');
  assert.equal(await stateOf(ben, sha256), undefined);
});

test('only an administrator names any address; private addresses and strange schemes are refused in words', async () => {
  const refused = await ask(ada, `http://${host}/weights.bin`);
  assert.equal(refused.statusCode, 403, refused.body);
  for (const url of [
    'http://example.org/w',
    'https://127.0.0.1:9/w',
    'https://[::1]/w',
    'https://10.1.2.3/w',
    'ftp://x.org/w',
  ]) {
    const asked = await ask(hub.admin, url, createHash('sha256').update(url).digest('hex'));
    assert.equal(asked.statusCode, 202, asked.body);
  }
  await ask(hub.admin, `http://${host}/inside`, '1'.repeat(64));
  await ask(hub.admin, `http://${host}/none`, '2'.repeat(64));
  await ask(hub.admin, `http://${host}/weights.bin`, '3'.repeat(64));
  await ask(hub.admin, `http://${host}/moved`);
  await fetchWeights(hub.deps, signal);
  const { rows } = await hub.deps.db.pool.query<{ source: string; state: string; note: string | null }>(
    `select source, state, note from weights_file where source <> 'upload' order by created_at`,
  );
  const failed = rows.filter((row) => row.state === 'failed');
  assert.equal(failed.length, 8, JSON.stringify(rows));
  for (const row of failed.slice(0, 6))
    assert.match(row.note ?? '', /address of this network|upload the file/i, row.source);
  assert.match(failed[6]?.note ?? '', /answered 404/);
  assert.match(failed[7]?.note ?? '', /Announced 333333333333…, received/);
  assert.equal((await stateOf(hub.admin))?.state, 'ready');
  assert.equal((await stateOf(hub.admin))?.bytes, BYTES.length);
});

test('what a listed release declares anybody may fetch or upload; a run names it by id and gets it by digest', async () => {
  const url = 'https://weights.invalid/start.bin';
  const model = `weights: [{ id: start, source: mirror, url: "${url}", sha256: "${DIGEST}", bytes: ${BYTES.length}, license: MIT }, { id: inside, source: bundled, sha256: "${INSIDE_DIGEST}", bytes: ${INSIDE.length}, license: MIT }]`;
  const tgz = await packageOf(ada.organization, '1.0.0', (text) =>
    text.replace('- id: conv-small\n', `- id: conv-small\n    ${model}\n`),
  );
  const sent = await hub.call('POST', '/api/v1/releases', {
    as: ada,
    body: tgz,
    headers: { 'content-type': 'application/gzip' },
  });
  assert.equal(sent.statusCode, 202, sent.body);
  const { id, packageDigest } = sent.json().release;
  await hub.call('POST', `/api/v1/releases/${id}/approve`, { as: hub.admin, json: { digest: packageDigest } });
  await passValidation(hub);
  await publishReleases(hub.deps, async () => undefined);
  await reportOn(hub, 'prove', { verdict: 'passed', level: 'L2', stages: [], findings: [] });
  const list = async () =>
    (await hub.call('GET', `/api/v1/releases/${id}/weights?model=conv-small`, { as: ben })).json<{
      items: { id: string; state: string; note: string | null }[];
    }>().items;
  assert.deepEqual(
    (await list()).map((item) => [item.id, item.state]),
    [
      ['start', 'absent'],
      ['inside', 'bundled'],
    ],
  );
  const start = { verb: 'train', trainer: `${ada.organization}/reference`, model: 'conv-small', weights: 'start' };
  const early = await hub.call('POST', '/api/v1/runs/preflight', { as: ben, json: start });
  assert.match(early.body, /not here yet\..*Fetch it with one click/);
  const unknown = await hub.call('POST', '/api/v1/runs/preflight', { as: ben, json: { ...start, weights: 'nope' } });
  assert.match(unknown.body, /has no weights nope/);
  const asked = await hub.call('POST', '/api/v1/weights/fetch', { as: ben, json: { url, sha256: DIGEST } });
  assert.equal(asked.statusCode, 202, asked.body);
  await fetchWeights(hub.deps, signal);
  const [failed] = await list();
  assert.equal(failed?.state, 'failed');
  assert.match(failed.note ?? '', /cannot be reached.*upload the file/);
  const headers = { 'content-type': 'application/octet-stream' };
  const sent2 = await hub.call('POST', '/api/v1/weights?name=start.bin', { as: ben, body: BYTES, headers });
  assert.equal(sent2.statusCode, 201, sent2.body);
  assert.equal((await list())[0]?.state, 'ready');
  const ready = await hub.call('POST', '/api/v1/runs/preflight', { as: ben, json: start });
  assert.doesNotMatch(ready.body, /weights/);

  // What lies in the image of a trainer serves no runner without images, until the file is on the hub.
  const bundled = { ...start, weights: 'inside' };
  const inImage = await hub.call('POST', '/api/v1/runs/preflight', { as: ben, json: bundled });
  assert.match(inImage.body, /lie in an image, and this runner uses none.*Upload the file; its digest must be/);
  await hub.call('POST', '/api/v1/weights?name=inside.bin', { as: ben, body: INSIDE, headers });
  assert.equal((await list())[1]?.state, 'ready');
  const uploaded = await hub.call('POST', '/api/v1/runs/preflight', { as: ben, json: bundled });
  assert.doesNotMatch(uploaded.body, /weights/);
});
