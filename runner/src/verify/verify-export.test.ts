import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeNpy } from '@trainyard/plugin-sdk/export';
import { exportVerifier } from '../handlers/verify-export.ts';
import { verifyExport } from './verify-export.ts';

/** y = x · W, written byte by byte: the smallest model that has weights. */
const WEIGHTS = [1, 2, 3, 4, 5, 6];
const INPUT = [0.5, -1, 2];
const ANSWER = [0.5 * 1 - 1 * 3 + 2 * 5, 0.5 * 2 - 1 * 4 + 2 * 6];

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) | 128);
    if (rest < 128) return Buffer.from(bytes);
  }
}
function field(number: number, value: number | string | Buffer): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}
function message(...parts: Buffer[]): Buffer {
  return Buffer.concat(parts);
}
function valueInfo(name: string, sides: readonly (number | string)[]): Buffer {
  const dims = sides.map((side) => field(1, typeof side === 'number' ? field(1, side) : field(2, side)));
  const tensor = message(field(1, 1), field(2, message(...dims)));
  return message(field(1, name), field(2, field(1, tensor)));
}
function model(external: string | null): Buffer {
  const raw = Buffer.from(new Float32Array(WEIGHTS).buffer);
  const entry = (key: string, value: string): Buffer => field(13, message(field(1, key), field(2, value)));
  const data = external === null ? [field(9, raw)] : [entry('location', external), field(14, 1)];
  const weights = message(field(1, 3), field(1, 2), field(2, 1), field(8, 'W'), ...data);
  const node = message(field(1, 'x'), field(1, 'W'), field(2, 'y'), field(4, 'MatMul'));
  const graph = message(
    field(1, node),
    field(2, 'g'),
    field(5, weights),
    field(11, valueInfo('x', ['batch', 3])),
    field(12, valueInfo('y', ['batch', 2])),
  );
  return message(field(1, 8), field(7, graph), field(8, message(field(1, ''), field(2, 13))));
}

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'trainyard-verify-test-'));
});
after(() => rm(root, { recursive: true, force: true }));

async function exported(
  name: string,
  change: {
    answer?: readonly number[];
    model?: Buffer;
    dynamic?: string[];
    semantics?: string;
    files?: string[];
    format?: string;
    labels?: string[];
    input?: Record<string, unknown>;
  } = {},
): Promise<string> {
  const folder = join(root, name);
  await mkdir(join(folder, 'selftest'), { recursive: true });
  const file = (path: string) => ({ path, bytes: 1, sha256: '0'.repeat(64) });
  const metadata = {
    schema: 'export/v1',
    createdAt: '2026-01-01T00:00:00Z',
    model: { task: 'classify', id: 'tiny', trainer: '@test/tiny@1.0.0' },
    artifact: {
      format: change.format ?? 'onnx',
      precision: 'fp32',
      opset: 13,
      dynamic: change.dynamic ?? [],
      files: ['model.onnx', ...(change.files ?? [])].map(file),
    },
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 3], ...change.input }],
    outputs: [{ name: 'y', dtype: 'float32', shape: ['batch', 2], semantics: change.semantics ?? 'logits' }],
    preprocess: [],
    postprocess: [],
    labels: change.labels ?? ['a', 'b'],
    license: 'Apache-2.0',
    notices: [],
  };
  await writeFile(join(folder, 'metadata.json'), JSON.stringify(metadata));
  await writeFile(join(folder, 'model.onnx'), change.model ?? model(null));
  await writeFile(join(folder, 'selftest', 'input.npy'), writeNpy({ shape: [1, 3], data: Float32Array.from(INPUT) }));
  const answer = Float32Array.from(change.answer ?? ANSWER);
  await writeFile(join(folder, 'selftest', 'output-0.npy'), writeNpy({ shape: [1, answer.length], data: answer }));
  return folder;
}

const options = { timeout: 60_000 };
function verified(
  exportFolder: string,
  change: { tolerance?: number; maxSeconds?: number; memoryBytes?: number } = {},
) {
  return verifyExport({ exportFolder, format: 'onnx', ...change });
}

test('a faithful export is proven, also as a batch of two', options, async () => {
  const single = await verified(await exported('good'));
  assert.deepEqual([single.state, single.check, single.inputs, single.reason], ['proven', null, 1, null]);
  assert.ok((single.maxAbs ?? 1) < 1e-5);
  assert.ok((single.milliseconds ?? 0) > 0);
  assert.match(single.runtime, /^onnxruntime-node \d/);
  assert.deepEqual(
    single.outputs.map(({ name, tolerance }) => [name, tolerance]),
    [['y', 1e-3]],
  );
  const batch = await verified(await exported('batch', { dynamic: ['batch'] }));
  assert.deepEqual([batch.state, batch.inputs], ['proven', 3]);
});

test('a model that answers something else is refuted with numbers', options, async () => {
  const folder = await exported('wrong', { answer: [ANSWER[0] ?? 0, (ANSWER[1] ?? 0) + 0.25] });
  const result = await verified(folder);
  assert.deepEqual([result.state, result.check], ['refuted', 'export-parity']);
  assert.ok(Math.abs((result.maxAbs ?? 0) - 0.25) < 1e-5 && Math.abs((result.meanAbs ?? 0) - 0.125) < 1e-5);
  assert.match(result.reason ?? '', /"y" differs by 0\.250; allowed is 0\.001/);
  assert.equal((await verified(folder, { tolerance: 0.5 })).state, 'proven');
});

test('where no number is judged the class still is', options, async () => {
  const swapped = await exported('int8', { answer: [9, 1] });
  const result = await verified(swapped, { tolerance: 1000 });
  assert.match(result.reason ?? '', /another class/);
});

test('metadata that is not what the file says is refuted for exactly that', options, async () => {
  async function reasonOf(name: string, change: Parameters<typeof exported>[1]): Promise<string> {
    const { state, check, reason } = await verified(await exported(name, change));
    assert.deepEqual([state, check], ['refuted', 'export-metadata'], reason ?? '');
    return reason ?? '';
  }
  assert.match(await reasonOf('input-name', { input: { name: 'z' } }), /names the input "z", the model "x"/);
  assert.match(await reasonOf('dtype', { input: { dtype: 'uint8' } }), /"x" is float32 in the file, uint8 in metadata/);
  assert.match(await reasonOf('rank', { input: { shape: ['batch', 4] } }), /batch×3 in the file, batch×4 in metadata/);
  assert.match(await reasonOf('labels', { labels: ['a', 'b', 'c'] }), /logits of 3 classes has 3 at side 1/);
  assert.match(await reasonOf('task', { semantics: 'yolo-raw' }), /no answer of the task classify/);
  assert.match(await reasonOf('format', { format: 'openvino' }), /says the format is openvino, not onnx/);
});

test('what nobody can check stays declared, with the reason and what to do', options, async () => {
  const own = await verified(await exported('own', { semantics: 'x-mine' }));
  assert.deepEqual([own.state, own.check], ['declared', null]);
  assert.match(own.reason ?? '', /x-mine/);
  for (const [format, why] of [
    ['coreml', /macOS only/],
    ['tensorrt', /NVIDIA GPU of the same class/],
    ['openvino', /not prepared on this machine. Run: node /],
  ] as const) {
    const exportFolder = await exported(`declared-${format}`, { format });
    const { state, reason } = await verifyExport({ exportFolder, format });
    assert.equal(state, 'declared');
    assert.match(reason ?? '', why);
  }
});

test('data outside the export is never opened', options, async () => {
  const secret = join(root, 'secret.bin');
  await writeFile(secret, Buffer.from(new Float32Array(WEIGHTS).buffer));
  const outside = await verified(await exported('outside', { model: model('../secret.bin') }));
  assert.equal(outside.check, 'export-data-only');
  assert.match(outside.reason ?? '', /"\.\.\/secret\.bin", which is not a file of this export/);
  const linked = await exported('linked', { model: model('weights.bin'), files: ['weights.bin'] });
  await symlink(secret, join(linked, 'weights.bin'));
  assert.match((await verified(linked)).reason ?? '', /not a plain file inside the export/);
  const inside = await exported('inside', { model: model('weights.bin'), files: ['weights.bin'] });
  await writeFile(join(inside, 'weights.bin'), Buffer.from(new Float32Array(WEIGHTS).buffer));
  assert.equal((await verified(inside)).state, 'proven');
});

test('broken, missing and slow exports are sentences, not errors', options, async () => {
  const rubbish = await verified(await exported('rubbish', { model: Buffer.from('not a model at all') }));
  assert.equal(rubbish.check, 'export-loads');
  assert.match(rubbish.reason ?? '', /model\.onnx cannot be read/);
  const short = await verified(await exported('shape', { answer: [1, 2, 3] }));
  assert.match(short.reason ?? '', /has 1×2 values; the self-test has 1×3/);
  const empty = join(root, 'empty');
  await mkdir(empty);
  assert.match((await verified(empty)).reason ?? '', /has no metadata\.json/);
  const slow = await verified(await exported('slow'), { maxSeconds: 0.01 });
  assert.match(slow.reason ?? '', /longer than 0\.01 seconds/);
  const big = await verified(await exported('big'), { memoryBytes: 2 ** 20 });
  assert.match(big.reason ?? '', /more than 1 MiB/);
});

test('a run whose export is refuted fails with verification.parity and keeps the figures', options, async () => {
  const verify = exportVerifier(join(root, 'no-environments'));
  const wrong = await exported('parity-differs', { answer: [ANSWER[0] ?? 0, (ANSWER[1] ?? 0) + 0.25] });
  const { meta, failure } = await verify(wrong, 'onnx', AbortSignal.timeout(60_000));
  assert.equal(failure?.code, 'verification.parity');
  assert.match(failure.message ?? '', /does not answer like the checkpoint\. Output "y" differs by 0\.250/);
  assert.equal(failure.retryable, false);
  const parity: unknown = meta['parity'];
  assert.ok(typeof parity === 'object' && parity !== null);
  assert.deepEqual([Reflect.get(parity, 'state'), Reflect.get(parity, 'passed')], ['refuted', false]);
  assert.ok(Math.abs(Number(Reflect.get(parity, 'maxAbs')) - 0.25) < 1e-5);
  const good = await verify(await exported('parity-good'), 'onnx', AbortSignal.timeout(60_000));
  assert.equal(good.failure, null);
  const other = await verify(await exported('parity-ncnn', { format: 'ncnn' }), 'ncnn', AbortSignal.timeout(60_000));
  assert.equal(other.failure, null);
  assert.equal(Reflect.get(Object(other.meta['parity']), 'state'), 'declared');
});
