import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { snapshotDigest } from '@trainyard/plugin-sdk';
import { DATASET_LIMITS, iterateTarGz, writeZip } from '@trainyard/plugin-sdk/archive';
import { encodeMask, encodePng8, synthDataset } from '@trainyard/plugin-sdk/dataset';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Grey pictures, no two alike. */
let shade = 0;
function another(): Buffer {
  shade += 1;
  const data = Uint8Array.of(shade & 255, shade >> 8, 0, 0);
  return Buffer.from(encodePng8({ width: 2, height: 2, channels: 1, data }));
}
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
    for (const name of classes) for (let i = 0; i < each; i++) files[`${split}${name}/${i}.png`] = another();
  return files;
}

test('splits are taken as given, or made 80/20 and always the same', async () => {
  const given = await upload(zip(folders(['train/', 'val/'], ['a', 'b'], 3)));
  assert.equal(given.statusCode, 201, given.body);
  const shape = given.json().dataset.snapshot;
  assert.equal(shape.splitMethod, 'given');
  assert.deepEqual(shape.splits, [
    { name: 'train', count: 6 },
    { name: 'val', count: 6 },
  ]);
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
  // Not even bytes that nobody uses.
  assert.equal(
    await hub.count(`blob b where store = 'datasets'`),
    (await hub.files()).filter((path) => path.startsWith('datasets/')).length,
  );
});

test('each of the fifteen problems of the contract is told in one answer, with file and line', async () => {
  const good = '0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.4 0.4\n';
  const twin = another();
  const rows = [
    '2 0.5 0.5 0.1 0.1',
    '0 0.5 1.5 0.1 0.1',
    '0 0.5 nan 0.1 0.1',
    '0 0.5 0.5 0.1',
    '0 0.1 0.1 0.5 0.1 0.5 0.5',
  ];
  const yolo: Record<string, Buffer> = {
    'set/classes.txt': Buffer.from('a\nb\n'),
    'set/images/train/1.png': another(),
    'set/labels/train/1.txt': Buffer.from(`${good}${rows.join('\n')}\n0 0.5 0.5 0.2 0.2\n`),
    'set/images/train/2.png': another().subarray(0, 30),
    'set/images/val/3.png': another(),
    'set/labels/val/3.txt': Buffer.from(good),
    'set/labels/val/9.txt': Buffer.from(good),
    'set/images/train/t.png': twin,
    'set/images/val/t.png': twin,
  };
  const mask = (values: readonly number[], side: number): Buffer => {
    const data = new Uint8Array(side * side);
    data.set(values);
    return Buffer.from(encodeMask({ width: side, height: side, data }));
  };
  const masks = {
    'classes.txt': Buffer.from('a\nb\nc\n'),
    'images/train/1.png': another(),
    'masks/train/1.png': mask([0, 1, 9], 2),
    'images/train/2.png': another(),
    'masks/train/2.png': mask([0, 1], 3),
    'images/train/3.png': another(),
    'masks/train/3.png': mask([0, 1], 2),
    'images/val/4.png': another(),
    'masks/val/4.png': mask([0, 1], 2),
  };
  const coco = (name: string, category: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        images: [{ id: 1, file_name: name }],
        annotations: [
          { id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 1, 1] },
          { id: 2, image_id: 1, category_id: 2, bbox: [0, 0, 2, 1] },
        ],
        categories: [
          { id: 1, name: 'ant' },
          { id: 2, name: category },
        ],
      }),
    );
  const { files } = await synthDataset({ task: 'pose', seed: 1, train: 4, val: 2, size: 48 });
  const pose = Object.fromEntries([...files].map(([path, bytes]) => [path, Buffer.from(bytes)]));
  pose['val.txt'] = Buffer.alloc(0);
  const labels =
    Object.keys(pose).find((path) => path.startsWith('labels/train/') && (pose[path]?.length ?? 0) > 0) ?? '';
  pose[labels] = Buffer.concat([pose[labels] ?? Buffer.alloc(0), Buffer.from('0 0.5 0.5 0.2 0.2 0.5 0.5 2\n')]);
  const before = await hub.files();
  const answers = [
    await upload(zip(yolo)),
    await upload(zip(masks)),
    await upload(zip({ 'train.json': coco('1.png', 'bee'), 'val.json': coco('2.png', 'cow'), '1.png': another() })),
    await upload(zip(pose)),
  ];
  const said = answers.map((answer) => {
    assert.deepEqual([answer.statusCode, answer.json().code], [422, 'dataset-invalid'], answer.body);
    return answer
      .json()
      .errors.map(({ code, file, line }: { code: string; file?: string; line?: number }) =>
        [code, file, line].join(' ').trim(),
      );
  });
  const wanted = [
    [
      'dataset-label-index set/labels/train/1.txt 3',
      'dataset-coordinate-range set/labels/train/1.txt 4',
      'dataset-number-finite set/labels/train/1.txt 5',
      'dataset-column-count set/labels/train/1.txt 6',
      'dataset-mixed-rows set/labels/train/1.txt 7',
      'dataset-duplicate-row set/labels/train/1.txt 8',
      'dataset-image-undecodable set/images/train/2.png',
      'dataset-image-missing set/labels/val/9.txt',
      'dataset-split-overlap set/images/val/t.png',
    ],
    [
      'dataset-mask-value masks/train/1.png 2',
      'dataset-mask-size masks/train/2.png',
      'dataset-class-absent dataset.json',
    ],
    ['dataset-category-unknown val.json 1', 'dataset-image-missing val.json 1'],
    ['dataset-split-empty val.txt', `dataset-keypoint-count ${labels}`],
  ];
  wanted.forEach((list, at) => {
    for (const one of list)
      assert.ok(
        said[at].some((found: string) => found.startsWith(one)),
        `${one} in ${JSON.stringify(said[at], null, 1)}`,
      );
  });
  assert.deepEqual(await hub.files(), before);
});

test('an administrator adds a folder of this machine; its files are shared, not copied', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ty-folder-'));
  try {
    const { files } = await synthDataset({ task: 'detect', format: 'coco@1', seed: 1, train: 6, val: 4, size: 48 });
    for (const [path, bytes] of files) {
      await mkdir(join(folder, path, '..'), { recursive: true });
      await writeFile(join(folder, path), bytes);
    }
    const json = { name: 'Here', path: folder };
    const add = (as: Caller, path = folder) =>
      hub.call('POST', '/api/v1/datasets/folder', { as, json: { ...json, path } });
    assert.equal((await add(ada)).statusCode, 403);
    assert.equal((await add(hub.admin, 'relative')).statusCode, 400);
    assert.equal((await add(hub.admin, join(folder, 'no'))).statusCode, 400);
    assert.match((await add(hub.admin, hub.blobFolder)).body, /data of the hub/);
    assert.match((await add(hub.admin, '/')).body, /data of the hub/);
    await symlink('/etc/hostname', join(folder, 'images', 'train', 'link.png'));
    assert.match((await add(hub.admin)).body, /link\.png is a symbolic link/);
    await rm(join(folder, 'images', 'train', 'link.png'));
    const images = await readdir(join(folder, 'images', 'train'));
    const before = await stat(join(folder, 'images', 'train', images[0] ?? ''));
    assert.equal(before.nlink, 1);
    const made = await add(hub.admin);
    assert.equal(made.statusCode, 201, made.body);
    assert.deepEqual(
      made.json().warnings.map(({ code }: { code: string }) => code),
      ['files-shared'],
    );
    for (const name of images) assert.equal((await stat(join(folder, 'images', 'train', name))).nlink, 2);
    const after = await stat(join(folder, 'images', 'train', images[0] ?? ''));
    assert.deepEqual([after.mode, after.mtimeMs, after.uid], [before.mode, before.mtimeMs, before.uid]);
    const { dataset } = made.json();
    assert.deepEqual(
      [dataset.snapshot.format, dataset.snapshot.splits],
      [
        'coco@1',
        [
          { name: 'train', count: 6 },
          { name: 'val', count: 4 },
        ],
      ],
    );
    const everything = await hub.call('GET', `/api/v1/datasets/${dataset.id}`, { as: hub.admin });
    assert.ok(!everything.body.includes(folder));
    const { rows } = await hub.deps.db.pool.query<{ action: string; changes: unknown }>(
      'select action, changes from audit_entry order by id desc limit 1',
    );
    assert.deepEqual([rows[0]?.action, JSON.stringify(rows[0]?.changes).includes(folder)], ['dataset.created', false]);
    await hub.call('DELETE', `/api/v1/datasets/${dataset.id}`, { as: hub.admin });
    assert.equal((await readdir(join(folder, 'images', 'train'))).length, 6);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
