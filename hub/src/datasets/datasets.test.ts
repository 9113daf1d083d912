import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { snapshotDigest } from '@trainyard/plugin-sdk';
import { DATASET_LIMITS, iterateTarGz, writeZip } from '@trainyard/plugin-sdk/archive';
import { createHash } from 'node:crypto';
import { signTicket } from '../platform/signed-token.ts';
import { DIGITS_ZIP, testHub, type Caller, type TestHub } from '../testing/test-hub.ts';

let hub: TestHub;
let ada: Caller;
let picture: Buffer;
before(async () => {
  hub = await testHub();
  ada = await hub.signUp('Ada');
  picture = Buffer.from(PNG, 'base64');
});
after(() => hub.close());

/** One grey pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';
function upload(body: Buffer, name = 'Some') {
  return hub.call('POST', `/api/v1/datasets?name=${name}`, {
    as: ada,
    body,
    headers: { 'content-type': 'application/zip' },
  });
}
function zip(files: Record<string, Buffer>): Buffer {
  return writeZip(Object.entries(files).map(([path, bytes]) => ({ path, bytes })));
}
function folders(splits: readonly string[], classes: readonly string[], each: number): Record<string, Buffer> {
  const files: Record<string, Buffer> = {};
  for (const split of splits)
    for (const name of classes) for (let i = 0; i < each; i++) files[`${split}${name}/${i}.png`] = picture;
  return files;
}

test('splits are taken as given, or made 80/20 and always the same', async () => {
  const given = await upload(zip(folders(['train/', 'val/'], ['a', 'b'], 3)));
  assert.equal(given.statusCode, 201, given.body);
  const shape = given.json().dataset.snapshot;
  assert.equal(shape.splitMethod, 'given');
  assert.deepEqual(shape.splits, [
    { name: 'val', count: 6 },
    { name: 'train', count: 6 },
  ]);
  assert.match(given.body, /split-overlap/);
  const bytes = await readFile(DIGITS_ZIP);
  const [one, two] = [await upload(bytes), await upload(bytes)];
  assert.equal(one.statusCode, 201, one.body);
  const auto = one.json().dataset.snapshot;
  assert.equal(auto.splitMethod, 'auto');
  assert.equal(auto.digest, two.json().dataset.snapshot.digest);
  const counts = new Map(auto.splits.map((split: { name: string; count: number }) => [split.name, split.count]));
  assert.equal(Number(counts.get('train')) + Number(counts.get('val')), 1797);
  assert.ok(Math.abs(Number(counts.get('val')) - 359) <= 10);
  const ticket = signTicket(hub.deps.ticketSecret, { m: 'SNAPSHOT', snapshot: auto.id, exp: Date.now() + 60_000 });
  const packed = (await hub.call('GET', `/snapshots/${ticket}`)).rawPayload;
  const files: { path: string; sha256: string; bytes: number }[] = [];
  for await (const entry of iterateTarGz(
    (async function* () {
      yield packed;
    })(),
    DATASET_LIMITS,
  )) {
    const hash = createHash('sha256');
    let size = 0;
    for await (const part of entry.stream) {
      hash.update(part);
      size += part.byteLength;
    }
    files.push({ path: entry.path, sha256: hash.digest('hex'), bytes: size });
  }
  assert.equal(files[0]?.path, 'dataset.json');
  assert.equal(snapshotDigest(files.slice(1)), auto.digest);
  assert.equal((await hub.call('GET', `/snapshots/${ticket.slice(0, -2)}xx`)).statusCode, 410);
  const old = signTicket(hub.deps.ticketSecret, { m: 'SNAPSHOT', snapshot: auto.id, exp: Date.now() - 1 });
  assert.equal((await hub.call('GET', `/snapshots/${old}`)).statusCode, 410);
});

test('what cannot be used is refused with a reason and leaves no row', async () => {
  const rows = () =>
    Promise.all([hub.count('dataset'), hub.count('snapshot'), hub.count('snapshot_file'), hub.count('audit_entry')]);
  const before = await rows();
  const good = folders([''], ['a', 'b'], 5);
  const plain = zip(good);
  const traversal = Buffer.from(plain.toString('latin1').replaceAll('a/0.png', '../.png'), 'latin1');
  const cases: [string, Buffer, RegExp][] = [
    ['a corrupt picture', zip({ ...good, 'a/9.png': picture.subarray(0, 40) }), /a\/9\.png/],
    ['an empty picture', zip({ ...good, 'a/9.png': Buffer.alloc(0) }), /a\/9\.png/],
    ['no picture', zip({ 'readme.txt': Buffer.from('x') }), /dataset-invalid/],
    ['one class', zip(folders([''], ['a'], 5)), /class/],
    ['a path that leaves', traversal, /dataset-invalid/],
    ['no archive', Buffer.from('hello there'), /unsupported-media/],
    ['nothing', Buffer.from('x'), /unsupported-media/],
    ['cut off', plain.subarray(0, plain.length - 30), /dataset-invalid/],
  ];
  for (const [what, bytes, reason] of cases) {
    const answer = await upload(bytes);
    assert.ok(answer.statusCode >= 400 && answer.statusCode < 500, `${what}: ${answer.statusCode} ${answer.body}`);
    assert.match(answer.body, reason, what);
  }
  assert.deepEqual(await rows(), before);
  assert.deepEqual(
    (await hub.files()).filter((path) => path.includes('incoming/') || path.startsWith('uploads/')),
    [],
  );
  assert.equal(
    await hub.count(`blob b where store = 'datasets'`),
    (await hub.files()).filter((path) => path.startsWith('datasets/')).length,
  );
});
