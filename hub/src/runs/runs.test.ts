import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findReleaseById } from '../trainers/find-release.ts';
import { addDigits, claimOne, publishReference } from '../testing/sample-trainer.ts';
import { testHub, type Caller, type TestHub } from '../testing/test-hub.ts';
import { beginSampleRun } from './begin-sample-run.ts';

let hub: TestHub;
let ada: Caller;
let release: string;
let dataset: string;
before(async () => {
  hub = await testHub();
  ada = await hub.signUp('Ada');
  release = await publishReference(hub);
  dataset = await addDigits(hub, 'trainyard');
});
after(() => hub.close());

const TRAIN = { verb: 'train', trainer: 'trainyard/reference' };
function start(json: object, headers: Record<string, string> = {}) {
  return hub.call('POST', '/api/v1/runs', { as: ada, json: { ...TRAIN, dataset, ...json }, headers });
}
async function finish(attempt: { id: string; fence: number }, outcome: object) {
  const answer = await hub.call('POST', `/api/v1/attempts/${attempt.id}/finish`, {
    as: hub.agent,
    json: { fence: attempt.fence, outcome },
  });
  assert.equal(answer.statusCode, 204, answer.body);
}
async function stateOf(run: string): Promise<string> {
  return String((await hub.call('GET', `/api/v1/runs/${run}`, { as: ada })).json().run.state);
}

test('preflight names every problem at once; nothing is started', async () => {
  const config = { epoch: 3, batch: 100_000 };
  const answer = await hub.call('POST', '/api/v1/runs/preflight', {
    as: ada,
    json: { ...TRAIN, model: 'conv-smal', device: 'cuda', config },
  });
  const { ok, problems } = answer.json<{
    ok: boolean;
    problems: { pointer: string; message: string; fix: string }[];
  }>();
  assert.equal(ok, false);
  for (const pointer of ['/model', '/dataset', '/device', '/config/epoch', '/config/batch'])
    assert.ok(
      problems.some((problem) => problem.pointer === pointer),
      `${pointer} in ${answer.body}`,
    );
  assert.match(answer.body, /epochs/);
  assert.equal((await start({ config })).statusCode >= 400, true);
  assert.equal(await hub.count('run'), 0);
});

test('the same Idempotency-Key gives the same run, another body is refused; what was frozen never changes', async () => {
  const key = { 'idempotency-key': 'k1' };
  const answers = await Promise.all(Array.from({ length: 8 }, () => start({}, key)));
  assert.deepEqual(new Set(answers.map((answer) => answer.json().id)).size, 1);
  assert.equal((await start({ name: 'other' }, key)).json().code, 'idempotency-mismatch');
  await assert.rejects(hub.deps.db.pool.query('update run set seed = 7'), /never changes/);
  await hub.call('POST', `/api/v1/runs/${answers[0]?.json().id}/stop`, { as: ada, json: { what: 'cancel' } });
});

test('pause keeps the checkpoint, resume goes on from it, twice at once starts one job', async () => {
  const run = String((await start({})).json().id);
  const attempt = await claimOne(hub, 'train');
  await hub.call('POST', `/api/v1/attempts/${attempt.id}/phase`, {
    as: hub.agent,
    json: { fence: attempt.fence, phase: 'running' },
  });
  assert.equal(await stateOf(run), 'running');
  const bytes = Buffer.from('checkpoint');
  const stored = await hub.deps.blobs.put(
    'results',
    (async function* () {
      yield bytes;
    })(),
  );
  const artifact = await hub.call('POST', `/api/v1/attempts/${attempt.id}/artifacts`, {
    as: hub.agent,
    json: {
      fence: attempt.fence,
      kind: 'checkpoint',
      path: 'c.bin',
      mediaType: 'application/octet-stream',
      sha256: stored.sha256,
      files: [{ path: 'c.bin', ...stored }],
      meta: { id: 'c', step: 40, resumable: true },
    },
  });
  assert.equal(artifact.json().recorded, true, artifact.body);
  const at = `/api/v1/runs/${run}`;
  assert.equal((await hub.call('POST', `${at}/stop`, { as: ada, json: { what: 'pause' } })).json().state, 'stopping');
  assert.equal((await hub.call('POST', `${at}/resume`, { as: ada })).statusCode, 409);
  await finish(attempt, { state: 'stopped', cause: 'cancelled' });
  assert.equal(await stateOf(run), 'paused');
  const resumed = await Promise.all([1, 2].map(() => hub.call('POST', `${at}/resume`, { as: ada })));
  assert.deepEqual(
    resumed.map((answer) => answer.statusCode).sort((a, b) => a - b),
    [200, 409],
  );
  const second = await claimOne(hub, 'train');
  assert.equal((second.resume as { step: number }).step, 40);
  await finish(second, { state: 'succeeded' });
  assert.equal(await stateOf(run), 'succeeded');
  assert.equal((await hub.call('POST', `${at}/stop`, { as: ada, json: { what: 'cancel' } })).statusCode, 409);
  const id = String(artifact.json().artifact);
  const mallory = await hub.signUp('Mallory');
  for (const url of [`/api/v1/artifacts/${id}`, `${at}/series`, `${at}/log`, `${at}/stream`, at])
    assert.equal((await hub.call('GET', url, { as: mallory })).statusCode, 404, url);
  assert.equal((await hub.call('DELETE', `/api/v1/datasets/${dataset}`, { as: hub.admin })).json().code, 'in-use');
});

test('a run paused before it was claimed starts when it is resumed', async () => {
  const run = String((await start({})).json().id);
  await hub.call('POST', `/api/v1/runs/${run}/stop`, { as: ada, json: { what: 'pause' } });
  assert.equal(await stateOf(run), 'paused');
  const resumed = await hub.call('POST', `/api/v1/runs/${run}/resume`, { as: ada });
  assert.equal(resumed.statusCode, 200, resumed.body);
  await hub.call('POST', `/api/v1/runs/${run}/stop`, { as: ada, json: { what: 'cancel' } });
});

test('the sample run starts at most once, whoever asks', async () => {
  await hub.deps.db.pool.query('update dataset set sample = true');
  const row = await findReleaseById(hub.deps.db.pool, release);
  assert.ok(row !== null);
  const made = await Promise.all(Array.from({ length: 10 }, () => beginSampleRun(hub.deps, row)));
  assert.equal(made.filter((id) => id !== null).length, 1);
  assert.equal(await hub.count('run where sample'), 1);
});
