import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isMutating, ROUTES } from '@trainyard/plugin-sdk/api';
import { Readable } from 'node:stream';
import { readFile } from 'node:fs/promises';
import { inTransaction } from '../platform/transaction.ts';
import { receivePackage } from '../trainers/intake/receive-package.ts';
import { publishReference, referencePackage } from '../testing/sample-trainer.ts';
import { DIGITS_ZIP, testHub, type CallOptions, type TestHub } from '../testing/test-hub.ts';

/** Not driven here: the set-up works once per installation; the others share their use-case with a route that is driven or with the intake tests. */
const ELSEWHERE = ['setUp', 'uploadRelease', 'uploadReleaseForm', 'uploadDatasetForm', 'addDatasetFolder'];

let hub: TestHub;
before(async () => {
  hub = await testHub();
});
after(() => hub.close());

test('every change through a route writes exactly one entry', async () => {
  const as = hub.admin;
  const release = await publishReference(hub);
  const { rows } = await hub.deps.db.pool.query<{ package_digest: string }>('select package_digest from release');
  await hub.deps.db.pool.query(
    `insert into bundled (name, title, summary, version, package_digest, package_bytes, download_bytes) values ('big', 'B', 'b', '1.0.0', 'sha256:x', 1, 1)`,
  );
  const driven = new Set<string>();
  async function drive(id: string, method: string, url: string, options: CallOptions = {}) {
    const before = await hub.count('audit_entry');
    const answer = await hub.call(method, url, { as, ...options });
    assert.ok(answer.statusCode < 300, `${id}: ${answer.body}`);
    assert.equal(await hub.count('audit_entry'), before + 1, id);
    const { rows: last } = await hub.deps.db.pool.query<{ action: string; request_id: string }>(
      'select action, request_id from audit_entry order by id desc limit 1',
    );
    assert.equal(last[0]?.action, ROUTES.find((route) => route.id === id)?.action, id);
    driven.add(id);
    return answer.body === '' ? {} : answer.json();
  }
  await drive('createProject', 'POST', '/api/v1/projects', { json: { name: 'Birds' } });
  const token = await drive('createToken', 'POST', '/api/v1/tokens', {
    json: { name: 't', scopes: ['runs:read'], days: 1 },
  });
  await drive('revokeToken', 'DELETE', `/api/v1/tokens/${token.token.id}`);
  const body = await readFile(DIGITS_ZIP);
  const zip = { body, headers: { 'content-type': 'application/zip' } };
  const made = await drive('uploadDataset', 'POST', '/api/v1/datasets?name=Digits', zip);
  await drive('synthSampleDataset', 'POST', '/api/v1/datasets/synth', { json: { task: 'detect', train: 8, val: 4 } });
  const octets = { body: Buffer.from('weights'), headers: { 'content-type': 'application/octet-stream' } };
  await drive('uploadWeights', 'POST', '/api/v1/weights?name=w.bin', octets);
  await drive('fetchWeights', 'POST', '/api/v1/weights/fetch', {
    json: { url: 'https://weights.invalid/w.bin', sha256: '0'.repeat(64) },
  });
  const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';
  const head =
    '--x\r\ncontent-disposition: form-data; name="files"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n';
  await drive('uploadPictures', 'POST', '/api/v1/pictures', {
    body: Buffer.concat([Buffer.from(head), Buffer.from(png, 'base64'), Buffer.from('\r\n--x--\r\n')]),
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  });
  const run = await drive('startRun', 'POST', '/api/v1/runs', {
    json: { verb: 'train', trainer: 'trainyard/reference', dataset: made.dataset.id },
  });
  await drive('stopRun', 'POST', `/api/v1/runs/${run.id}/stop`, { json: { what: 'pause' } });
  await drive('resumeRun', 'POST', `/api/v1/runs/${run.id}/resume`);
  const other = await hub.call('POST', '/api/v1/datasets?name=Other', { as, ...zip });
  await drive('deleteDataset', 'DELETE', `/api/v1/datasets/${other.json().dataset.id}`);
  const at = '/api/v1/trainers/trainyard/reference/releases/1.0.0';
  await drive('proveRelease', 'POST', `/api/v1/releases/${release}/prove`);
  await drive('deprecateRelease', 'POST', `${at}/deprecate`, { json: { reason: 'because' } });
  await drive('undoDeprecation', 'POST', `${at}/undo-deprecation`);
  await drive('yankRelease', 'POST', `${at}/yank`, { json: { reason: 'because' } });
  await drive('approveRelease', 'POST', `/api/v1/releases/${release}/approve`, {
    json: { digest: rows[0]?.package_digest },
  });
  await drive('prepareBundled', 'POST', '/api/v1/bundled/big/prepare');
  const missing = ROUTES.filter(isMutating)
    .map((route) => route.id)
    .filter((id) => !driven.has(id) && !ELSEWHERE.includes(id));
  assert.deepEqual(missing, []);
});

test('a refused change writes nothing; entries can neither be changed nor removed', async () => {
  const before = await hub.count('audit_entry');
  await assert.rejects(
    receivePackage(hub.deps, { principal: { kind: 'system' } }, Readable.from([await referencePackage()])),
    /already yanked|withdrawn/,
  );
  assert.equal(await hub.count('audit_entry'), before);
  for (const sql of [`update audit_entry set action = 'x'`, 'delete from audit_entry'])
    await assert.rejects(
      inTransaction(hub.deps.db, (tx) => tx.query(sql)),
      /never changed/,
    );
});
