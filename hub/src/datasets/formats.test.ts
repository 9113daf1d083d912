import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { after, before, test } from 'node:test';
import { snapshotDigest, type DatasetFormat, type TaskId } from '@trainyard/plugin-sdk';
import {
  DATASET_LIMITS,
  iterateTarGz,
  TAR_END,
  tarEntryHead,
  tarFiller,
  writeZip,
} from '@trainyard/plugin-sdk/archive';
import { synthDataset } from '@trainyard/plugin-sdk/dataset';
import { claimOne, publishReference } from '../testing/sample-trainer.ts';
import { testHub, type Caller, type TestHub } from '../testing/test-hub.ts';

let hub: TestHub;
let ada: Caller;
before(async () => {
  hub = await testHub();
  ada = await hub.signUp('Ada');
});
after(() => hub.close());

type Files = Map<string, Uint8Array>;
function zip(files: Files): Buffer {
  return writeZip([...files].map(([path, bytes]) => ({ path, bytes: Buffer.from(bytes) })));
}
function tar(files: Files): Buffer {
  const parts = [...files].flatMap(([path, bytes]) => [
    tarEntryHead(path, bytes.length),
    Buffer.from(bytes),
    tarFiller(bytes.length),
  ]);
  return Buffer.concat([...parts, TAR_END]);
}
function upload(body: Buffer, query: string) {
  const headers = { 'content-type': 'application/octet-stream' };
  return hub.call('POST', `/api/v1/datasets?${query}`, { as: ada, body, headers });
}
/** What a person has: no dataset.json, in a folder, names in a list. */
async function bare(task: TaskId, format: DatasetFormat, seed = 3): Promise<Files> {
  const { files, file } = await synthDataset({ task, format, seed, train: 9, val: 5, size: 48 });
  files.delete('dataset.json');
  files.set('classes.txt', Buffer.from(`${file.classes.map(({ name }) => name).join('\n')}\n`));
  return new Map([...files].map(([path, bytes]) => [`parts/${path}`, bytes]));
}
async function unpack(packed: Buffer) {
  const files: { path: string; sha256: string; bytes: number; text: string }[] = [];
  for await (const entry of iterateTarGz(
    (async function* () {
      yield packed;
    })(),
    DATASET_LIMITS,
  )) {
    const parts: Buffer[] = [];
    for await (const part of entry.stream) parts.push(Buffer.from(part));
    const whole = Buffer.concat(parts);
    const sha256 = createHash('sha256').update(whole).digest('hex');
    files.push({ path: entry.path, sha256, bytes: whole.length, text: whole.toString() });
  }
  return files;
}

test('an upload of each format is recognised, in each kind of archive, and can be looked at', async () => {
  const cases: [TaskId, DatasetFormat, (files: Files) => Buffer][] = [
    ['classify', 'imagefolder@1', zip],
    ['detect', 'yolo-detect@1', tar],
    ['segment', 'yolo-segment@1', (files) => gzipSync(tar(files))],
    ['pose', 'yolo-pose@1', zip],
    ['obb', 'yolo-obb@1', zip],
    ['segment', 'coco@1', zip],
    ['semantic', 'mask-png@1', zip],
  ];
  for (const [task, format, pack] of cases) {
    const answer = await upload(pack(await bare(task, format)), 'name=Parts');
    assert.equal(answer.statusCode, 201, `${format}: ${answer.body}`);
    const { snapshot } = answer.json().dataset;
    assert.deepEqual([snapshot.task, snapshot.format, snapshot.splitMethod], [task, format, 'given']);
    assert.notEqual(snapshot.because, '');
    const names = snapshot.classes.map(({ name }: { name: string }) => name);
    assert.equal(names.at(task === 'semantic' ? 1 : 0), task === 'pose' ? 'bolt' : 'washer');
    const { items } = (await hub.call('GET', `/api/v1/snapshots/${snapshot.id}/images`, { as: ada })).json();
    assert.equal(items.length, 14);
    const first = items.find(
      (item: { labels: unknown[] }) => task === 'classify' || task === 'semantic' || item.labels.length > 0,
    );
    assert.ok(first.width > 0 && first.classes.length > 0);
    if (task === 'pose') assert.equal(first.labels[0].points.length, 2);
    if (task === 'obb') assert.equal(first.labels[0].rings[0].length, 8);
    const least = Math.max(...snapshot.classes.map(({ index }: { index: number }) => index));
    const some = (
      await hub.call('GET', `/api/v1/snapshots/${snapshot.id}/images?class=${least}&split=val`, { as: ada })
    ).json();
    for (const item of some.items) assert.ok(item.classes.includes(least) && item.split === 'val');
    const picture = `/api/v1/snapshots/${snapshot.id}/image?path=${encodeURIComponent(first.path)}`;
    assert.equal((await hub.call('GET', picture, { as: ada })).statusCode, 200);
    const mask = await hub.call('GET', `${picture}&layer=mask`, { as: ada });
    assert.equal(mask.statusCode, format === 'mask-png@1' ? 200 : 404);
    if (mask.statusCode === 200) assert.deepEqual([...mask.rawPayload.subarray(24, 26)], [8, 3]);
  }
});

test('what the person says decides where it could be either, and class order is part of the digest', async () => {
  const { files } = await synthDataset({ task: 'obb', seed: 3, train: 9, val: 5, size: 48 });
  files.delete('dataset.json');
  const named = (names: string): Files => new Map([...files, ['classes.txt', Buffer.from(names)]]);
  const one = await upload(zip(named('a\nb\nc\n')), 'name=Parts&format=yolo-segment@1');
  assert.deepEqual([one.statusCode, one.json().dataset?.snapshot.task], [201, 'segment'], one.body);
  const two = await upload(zip(named('a\nc\nb\n')), 'name=Parts&task=segment');
  assert.equal(two.json().dataset.snapshot.format, 'yolo-segment@1');
  assert.notEqual(one.json().dataset.snapshot.digest, two.json().dataset.snapshot.digest);
  const never = await upload(zip(named('a\nb\nc\n')), 'name=Parts&format=coco@1');
  assert.equal(never.statusCode, 422);
  assert.match(never.json().errors[0].message, /COCO/);
});

test('parts on a belt are drawn here, twice the same', async () => {
  const json = { task: 'pose', seed: 5, train: 8, val: 4 };
  const [one, two] = [
    await hub.call('POST', '/api/v1/datasets/synth', { as: ada, json }),
    await hub.call('POST', '/api/v1/datasets/synth', { as: hub.admin, json: { ...json, name: 'Again' } }),
  ];
  assert.equal(one.statusCode, 201, one.body);
  const { dataset, warnings } = one.json();
  assert.deepEqual(warnings, []);
  assert.equal(dataset.snapshot.digest, two.json().dataset.snapshot.digest);
  assert.deepEqual(dataset.snapshot.keypoints, { names: ['head', 'tip'], skeleton: [[0, 1]] });
  const { files } = await synthDataset({ ...json, task: 'pose' });
  const got = await unpack(
    (await hub.call('GET', `/api/v1/snapshots/${dataset.snapshot.id}/download`, { as: ada })).rawPayload,
  );
  for (const { path, sha256 } of got.filter((file) => file.path !== 'dataset.json' && file.path !== 'view.json'))
    assert.equal(
      createHash('sha256')
        .update(files.get(path) ?? '')
        .digest('hex'),
      sha256,
      path,
    );
  assert.equal(got.length, files.size + 1);
});

test('a trainer that reads another format gets it converted, once for two runs, and told before', async () => {
  await publishReference(hub);
  const { rows } = await hub.deps.db.pool.query<{ manifest: { tasks: object[]; models: object[] } }>(
    'select manifest from release',
  );
  const manifest = rows[0]?.manifest;
  manifest?.tasks.push({
    id: 'detect',
    datasets: ['yolo-detect@1'],
    metrics: { primary: 'map50_95', declared: ['map50_95'] },
  });
  manifest?.models.push({ id: 'boxes', title: 'Boxes', tasks: ['detect'] });
  await hub.deps.db.pool.query(`update release set manifest = $1, tasks = tasks || '{detect}'`, [
    JSON.stringify(manifest),
  ]);
  const made = await upload(zip(await bare('segment', 'coco@1')), 'name=Outlines');
  const dataset = made.json().dataset;
  const json = { verb: 'train', trainer: 'trainyard/reference', task: 'detect', model: 'boxes', dataset: dataset.id };
  const preflight = (await hub.call('POST', '/api/v1/runs/preflight', { as: ada, json })).json();
  assert.deepEqual(
    [preflight.problems, preflight.warnings.map(({ code }: { code: string }) => code)],
    [[], ['dataset-converted-lossy']],
  );
  assert.match(preflight.warnings[0].message, /yolo-detect@1.*outlines become boxes/);
  assert.equal(await hub.count('snapshot_view'), 0);
  const started = await Promise.all(
    [json, json].map((body) => hub.call('POST', '/api/v1/runs', { as: ada, json: body })),
  );
  for (const one of started) assert.equal(one.statusCode, 201, one.body);
  assert.equal(await hub.count('snapshot_view'), 1);
  const attempt = JSON.parse(JSON.stringify(await claimOne(hub, 'train')));
  const given = attempt.spec.dataset;
  assert.deepEqual([given.format, given.task, given.snapshot], ['yolo-detect@1', 'detect', dataset.snapshot.id]);
  assert.notEqual(given.digest, dataset.snapshot.digest);
  const files = await unpack((await hub.call('GET', new URL(attempt.snapshotUrl, 'http://hub').pathname)).rawPayload);
  const [first, ...content] = files;
  assert.equal(snapshotDigest(content), given.digest);
  const file = JSON.parse(first?.text ?? '');
  assert.deepEqual(
    [file.format, file.task, file.digest, file.splits.train.count],
    ['yolo-detect@1', 'detect', given.digest, 9],
  );
  assert.deepEqual(
    file.classes.map(({ name }: { name: string }) => name),
    ['washer', 'bolt', 'nut'],
  );
  assert.match(
    files.find(({ path }) => path.startsWith('labels/train/') && path.endsWith('.txt'))?.text ?? '',
    /^\d( [\d.]+){4}\n/,
  );
  assert.equal(JSON.parse(files.find(({ path }) => path === 'conversion.json')?.text ?? '{}').lossy, true);
  const other = await hub.call('POST', '/api/v1/runs/preflight', {
    as: ada,
    json: { ...json, task: 'classify', model: undefined },
  });
  assert.equal(other.json().problems[0].code, 'dataset-mismatch');
});
