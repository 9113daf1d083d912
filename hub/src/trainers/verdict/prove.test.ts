import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { packageOf, passValidation, publishReference, reportOn } from '../../testing/sample-trainer.ts';
import { testHub, type Caller, type TestHub } from '../../testing/test-hub.ts';
import { publishReleases } from '../publish/publish-releases.ts';

let hub: TestHub;
let ada: Caller;
let ben: Caller;
let release = '';
before(async () => {
  hub = await testHub();
  ada = await hub.signUp('Ada');
  ben = await hub.signUp('Ben');
});
after(() => hub.close());

const report = (verdict: string, level: string, findings: unknown[] = []) => ({ verdict, level, stages: [], findings });
const refuted = { check: 'export-parity', severity: 'error', message: 'The ONNX file swaps classes.', fix: 'Mend it.' };

async function namesFor(as?: Caller): Promise<string[]> {
  const reply = await hub.call('GET', '/api/v1/trainers', as === undefined ? {} : { as });
  assert.equal(reply.statusCode, 200, reply.body);
  return reply.json<{ items: { owner: string }[] }>().items.map((item) => item.owner);
}
/** Everybody's list comes out of a cache that an announcement empties a moment later. */
async function everybodySees(t: TestContext, owners: readonly string[]): Promise<void> {
  await t.waitFor(async () => assert.deepEqual(await namesFor(), owners), { timeout: 10_000 });
}
async function npmStatus(as?: Caller): Promise<number> {
  const url = `/npm/@${ada.organization}%2freference`;
  return (await hub.call('GET', url, as === undefined ? {} : { as })).statusCode;
}

test('L1 is listed inside its organisation only: catalogue, page, registry and start', async (t) => {
  const sent = await hub.call('POST', '/api/v1/releases', {
    as: ada,
    body: await packageOf(ada.organization, '1.0.0'),
    headers: { 'content-type': 'application/gzip' },
  });
  assert.equal(sent.statusCode, 202, sent.body);
  const { id, packageDigest } = sent.json<{ release: { id: string; packageDigest: string } }>().release;
  release = id;
  await hub.call('POST', `/api/v1/releases/${id}/approve`, { as: hub.admin, json: { digest: packageDigest } });
  await passValidation(hub);
  await publishReleases(hub.deps, async () => undefined);
  await everybodySees(t, []);
  assert.deepEqual(await namesFor(ben), []);
  assert.deepEqual(await namesFor(ada), [ada.organization]);
  assert.deepEqual(await namesFor(hub.admin), [ada.organization]);
  assert.equal((await hub.call('GET', `/api/v1/releases/${id}`, { as: ben })).statusCode, 404);
  assert.equal((await hub.call('GET', `/api/v1/releases/${id}`, { as: ada })).statusCode, 200);
  assert.equal((await hub.call('GET', `/api/v1/trainers/${ada.organization}/reference`, { as: ben })).statusCode, 404);
  assert.equal(await npmStatus(), 404);
  assert.equal(await npmStatus(ben), 404);
  const start = { verb: 'train', trainer: `${ada.organization}/reference` };
  const refused = await hub.call('POST', '/api/v1/runs/preflight', { as: ben, json: start });
  assert.equal(refused.statusCode, 404, refused.body);
});

test('a proof that came to nothing changes nothing but its note', async () => {
  await reportOn(hub, 'prove', report('inconclusive', 'L1'));
  const seen = await hub.call('GET', `/api/v1/releases/${release}`, { as: ada });
  const { state, level, proof } = seen.json<{ state: string; level: string; proof: { note: string } }>();
  assert.deepEqual([state, level, proof.note], ['published', 'L1', 'A required check did not run.']);
});

test('an owner asks for a new proof; L2 is listed for everybody', async (t) => {
  const asked = await hub.call('POST', `/api/v1/releases/${release}/prove`, { as: ben });
  assert.equal(asked.statusCode, 404, asked.body);
  assert.equal((await hub.call('POST', `/api/v1/releases/${release}/prove`, { as: ada })).statusCode, 202);
  const twice = await hub.call('POST', `/api/v1/releases/${release}/prove`, { as: ada });
  assert.equal(twice.statusCode, 202, twice.body);
  await reportOn(hub, 'prove', report('passed', 'L2'));
  await everybodySees(t, [ada.organization]);
  assert.deepEqual(await namesFor(ben), [ada.organization]);
  assert.equal(await hub.count(`job where kind = 'prove' and state = 'queued'`), 0);
});

test('a refuted claim takes the release off the catalogue and says why', async (t) => {
  await hub.call('POST', `/api/v1/releases/${release}/prove`, { as: ada });
  await reportOn(hub, 'prove', report('rejected', 'L2', [refuted]));
  await everybodySees(t, []);
  const seen = await hub.call('GET', `/api/v1/releases/${release}`, { as: ada });
  const { state, reason } = seen.json<{ state: string; reason: string }>();
  assert.deepEqual([state, reason], ['quarantined', 'The ONNX file swaps classes.']);
});

test('an official trainer is listed for everybody from L1 on', async (t) => {
  await publishReference(hub);
  await everybodySees(t, ['trainyard']);
});
