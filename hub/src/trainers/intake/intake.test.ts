import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sha256 } from '@trainyard/plugin-sdk';
import { gunzipSync, gzipSync } from 'node:zlib';
import { collectGarbage } from '../../blobs/collect-garbage.ts';
import { claimOne, packageOf, passValidation, publishReference } from '../../testing/sample-trainer.ts';
import { testHub, type Caller, type TestHub } from '../../testing/test-hub.ts';
import { publishReleases } from '../publish/publish-releases.ts';
import { EVERYBODY } from '../find-release.ts';
import { visibleReleases } from '../publish/visible-releases.ts';

let hub: TestHub;
let ada: Caller;
before(async () => {
  hub = await testHub();
  ada = await hub.signUp('Ada');
});
after(() => hub.close());

type Door = (as: Caller, name: string, version: string, bytes: Buffer) => ReturnType<TestHub['call']>;
const raw: Door = (as, _name, _version, body) =>
  hub.call('POST', '/api/v1/releases', { as, body, headers: { 'content-type': 'application/gzip' } });
const form: Door = (as, _name, _version, bytes) => {
  const head =
    '--x\r\ncontent-disposition: form-data; name="package"; filename="a.tgz"\r\ncontent-type: application/gzip\r\n\r\n';
  const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n--x--\r\n')]);
  return hub.call('POST', '/api/v1/releases/form', {
    as,
    body,
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  });
};
const npm: Door = async (as, name, version, bytes) =>
  hub.call('PUT', `/npm/${name.replace('/', '%2f')}`, {
    as: await hub.token(as),
    json: { name, versions: { [version]: {} }, _attachments: { a: { data: bytes.toString('base64') } } },
  });
const DOORS = { raw, form, npm };
async function stored(): Promise<{ rows: number; files: string[] }> {
  return { rows: await hub.count('release'), files: await hub.files() };
}

test('three doors give the same release for the same bytes, and refuse the version a second time', async () => {
  for (const [number, [label, door]] of Object.entries(DOORS).entries()) {
    const version = `1.0.${number + 1}`;
    const bytes = await packageOf(ada.organization, version);
    const name = `@${ada.organization}/reference`;
    const made = await door(ada, name, version, bytes);
    assert.ok(made.statusCode === 202 || made.statusCode === 201, `${label}: ${made.body}`);
    const { rows } = await hub.deps.db.pool.query<{ state: string; package_digest: string; title: string }>(
      'select state, package_digest, title from release where version = $1',
      [version],
    );
    assert.deepEqual(
      rows,
      [{ state: 'submitted', package_digest: sha256(bytes), title: 'Reference classifier' }],
      label,
    );
    assert.equal(await hub.count(`audit_entry where action = 'release.uploaded'`), number + 1, label);
    for (const [again, other] of Object.entries(DOORS)) {
      const second = await other(ada, name, version, bytes);
      assert.equal(second.statusCode, 409, `${again} after ${label}: ${second.body}`);
    }
  }
});

test('a bad package leaves no row and no bytes, whichever door it comes through', async () => {
  const good = await packageOf(ada.organization, '2.0.0');
  const bad = {
    'no archive': Buffer.from('hello'),
    'cut off': good.subarray(0, good.length - 100),
    'a broken manifest': gzipSync(
      Buffer.from(
        gunzipSync(good).toString('latin1').replace('apiVersion: trainer/v1', 'apiVersion: trainer/v9'),
        'latin1',
      ),
    ),
    'a flipped bit': Buffer.from(good.map((byte, i) => (i === good.length >> 1 ? byte ^ 1 : byte))),
  };
  const before = await stored();
  for (const [what, bytes] of Object.entries(bad)) {
    for (const [label, door] of Object.entries(DOORS)) {
      const answer = await door(ada, `@${ada.organization}/reference`, '2.0.0', bytes);
      assert.ok(
        answer.statusCode >= 400 && answer.statusCode < 500,
        `${what} by ${label}: ${answer.statusCode} ${answer.body}`,
      );
    }
  }
  assert.deepEqual(await stored(), before);
});

test('the scope of somebody else is refused and its bytes are collected', async () => {
  const before = await stored();
  const bytes = await packageOf('somebody', '1.0.0');
  for (const [label, door] of Object.entries(DOORS)) {
    const answer = await door(ada, '@somebody/reference', '1.0.0', bytes);
    assert.equal(answer.statusCode, 403, `${label}: ${answer.body}`);
    assert.match(answer.body, /name-taken/);
  }
  await hub.deps.db.pool.query(`update blob set created_at = now() - interval '2 days'`);
  assert.equal((await collectGarbage({ db: hub.deps.db.pool, blobs: hub.deps.blobs })).removed, 1);
  assert.deepEqual(await stored(), before);
});

test('published only after the registry took it; then deprecate, undo, yank; the digest never changes', async () => {
  const bytes = hub.registered.length;
  const id = await publishReference(hub);
  assert.equal(hub.registered.length, bytes + 1);
  const at = '/api/v1/trainers/trainyard/reference/releases/1.0.0';
  const state = async () => (await hub.call('GET', `/api/v1/releases/${id}`)).json().state;
  assert.equal(await state(), 'published');
  await assert.rejects(
    hub.deps.db.pool.query(`update release set package_digest = 'sha256:x' where id = $1`, [id]),
    /never changes/,
  );
  assert.equal((await hub.call('POST', `${at}/deprecate`, { as: ada, json: { reason: 'because' } })).statusCode, 403);
  assert.equal(
    (await hub.call('POST', `${at}/deprecate`, { as: hub.admin, json: { reason: 'because' } })).statusCode,
    200,
  );
  assert.deepEqual((await visibleReleases(hub.deps.db.pool, '@trainyard/reference', EVERYBODY))?.deprecated, {
    '1.0.0': 'because',
  });
  assert.equal((await hub.call('POST', `${at}/undo-deprecation`, { as: hub.admin })).statusCode, 200);
  assert.equal(await state(), 'published');
  assert.equal((await hub.call('POST', `${at}/yank`, { as: hub.admin, json: { reason: 'broken' } })).statusCode, 200);
  assert.equal(await visibleReleases(hub.deps.db.pool, '@trainyard/reference', EVERYBODY), null);
  const run = await hub.call('POST', '/api/v1/runs', {
    as: hub.admin,
    json: { verb: 'train', trainer: 'trainyard/reference', version: '1.0.0' },
  });
  assert.equal(run.json().code, 'release-yanked', run.body);
});

test('what waits for approval is released by its own digest only; rejected, the number is free again', async () => {
  const { rows } = await hub.deps.db.pool.query<{ id: string; package_digest: string }>(
    `select id, package_digest from release where version = '1.0.1'`,
  );
  const [release] = rows;
  assert.ok(release !== undefined);
  await assert.rejects(passValidation(hub), /no validate job waits/);
  const wrong = await hub.call('POST', `/api/v1/releases/${release.id}/approve`, {
    as: hub.admin,
    json: { digest: 'sha256:0' },
  });
  assert.equal(wrong.json().code, 'digest-mismatch');
  const right = await hub.call('POST', `/api/v1/releases/${release.id}/approve`, {
    as: hub.admin,
    json: { digest: release.package_digest },
  });
  assert.equal(right.statusCode, 200, right.body);
  const attempt = await claimOne(hub, 'validate');
  const findings = [{ check: 'x', severity: 'error', message: 'It is broken.', fix: 'Mend it.' }];
  const outcome = { state: 'succeeded', result: { verdict: 'rejected', level: 'none', stages: [], findings } };
  await hub.call('POST', `/api/v1/attempts/${attempt.id}/finish`, {
    as: hub.agent,
    json: { fence: attempt.fence, outcome },
  });
  assert.equal(await publishReleases(hub.deps, async () => undefined), 0);
  assert.equal((await hub.call('GET', `/api/v1/releases/${release.id}`)).statusCode, 404);
  assert.equal((await hub.call('GET', `/api/v1/releases/${release.id}`, { as: ada })).json().reason, 'It is broken.');
  const again = await raw(ada, '', '', await packageOf(ada.organization, '1.0.1'));
  assert.equal(again.statusCode, 202, again.body);
});
