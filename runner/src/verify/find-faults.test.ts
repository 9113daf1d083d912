import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { deflateRawSync, crc32 } from 'node:zlib';
import { checkWrappers, findLeaks, findPickles } from './index.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'trainyard-faults-'));
});
after(() => rm(root, { recursive: true, force: true }));

let made = 0;
async function folderWith(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  made += 1;
  const folder = join(root, `export-${made}`);
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  return folder;
}

/** A zip with one deflated entry: neither the path nor the pickle can be seen from outside. */
function zipOf(name: string, content: Buffer): Buffer {
  const packed = deflateRawSync(content);
  const sizes = Buffer.alloc(12);
  sizes.writeUInt32LE(crc32(content), 0);
  sizes.writeUInt32LE(packed.length, 4);
  sizes.writeUInt32LE(content.length, 8);
  const common = Buffer.concat([Buffer.from([20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0]), sizes, u16(name.length), u16(0)]);
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, Buffer.from(name), packed]);
  const tail = Buffer.alloc(14);
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, tail, Buffer.from(name)]);
  const end = Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(4), u16(1), u16(1), Buffer.alloc(10)]);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}
function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

const PICKLE = Buffer.from(
  '\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93.',
  'latin1',
);

test('paths and names are found in any file, also across pieces and inside archives', async () => {
  const clean = await folderWith({ 'model.onnx': Buffer.alloc(300_000, 7), 'README.md': '# Model\nSee ./runtime.\n' });
  assert.deepEqual(await findLeaks(clean, ['/data/sets/parts', 'jo']), []);
  for (const [text, secrets] of [
    ['/home/alice/yard', []],
    ['C:\\Users\\alice\\x', []],
    ['/opt/envs/torch/lib/python3.11/site-packages/torch/nn.py', []],
    ['parts on a belt', ['parts on a belt']],
    ['Größe', ['Größe']],
  ] as const) {
    // Across the border of two pieces of 64 KiB.
    const bytes = Buffer.concat([Buffer.alloc(65_530, 1), Buffer.from(text), Buffer.alloc(100, 1)]);
    const [fault, ...others] = await findLeaks(await folderWith({ 'model.onnx': bytes }), secrets);
    assert.deepEqual([fault?.check, fault?.file, others.length], ['export-clean', 'model.onnx', 0], text);
  }
  const packed = await folderWith({
    'model.torchscript': zipOf('a/code.debug_pkl', Buffer.from('x /home/alice/train.py x')),
  });
  const [inside] = await findLeaks(packed, []);
  assert.match(inside?.message ?? '', /model\.torchscript › a\/code\.debug_pkl/);
  assert.equal(inside?.evidence, '/home/alice');
});

test('pickles are found by what they are, not by their name', async () => {
  const harmless = await folderWith({
    'labels.txt': 'cat\ndog\n',
    'model.bin': Buffer.from([0x80, 2, 0x2e, 0x2e]),
    'README.md': 'A model.',
  });
  assert.deepEqual(await findPickles(harmless, 'ncnn'), []);
  const old = Buffer.concat([Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex'), Buffer.alloc(50)]);
  for (const [name, bytes] of [
    ['model_ncnn/model.bin', PICKLE],
    ['weights.png', Buffer.from('cposix\nsystem\n(S"id"\ntR.')],
    ['model.engine', old],
    ['model.tflite', zipOf('data', PICKLE)],
    ['model.torchscript', zipOf('model/extra/hook', PICKLE)],
  ] as const) {
    const faults = await findPickles(await folderWith({ [name]: bytes }), 'torchscript');
    assert.deepEqual(
      faults.map(({ check, file }) => [check, file]),
      [['export-data-only', name]],
      name,
    );
  }
  const own = (module: string) => Buffer.from(`\x80\x02c${module}\nsystem\nq\x00.`, 'latin1');
  const fine = await folderWith({ 'model.torchscript': zipOf('model/data.pkl', own('torch._utils')) });
  assert.deepEqual(await findPickles(fine, 'torchscript'), []);
  assert.match((await findPickles(fine, 'onnx'))[0]?.message ?? '', /data\.pkl is a pickle/);
  const bad = await folderWith({ 'model.torchscript': zipOf('model/data.pkl', own('posix')) });
  assert.match((await findPickles(bad, 'torchscript'))[0]?.message ?? '', /names posix\.system/);
  // A name may end in any letter, and c is an opcode.
  const tricky = Buffer.from('\x80\x02X\x03\x00\x00\x00cv2q\x06c__torch__.conv\nConv\nq\x00.', 'latin1');
  const convolution = await folderWith({ 'model.torchscript': zipOf('model/data.pkl', tricky) });
  assert.deepEqual(await findPickles(convolution, 'torchscript'), []);
  const hidden = await folderWith({ 'model.torchscript': zipOf('model/data.pkl', PICKLE) });
  assert.match((await findPickles(hidden, 'torchscript'))[0]?.message ?? '', /names a name put together while loading/);
  const linked = await folderWith({ 'metadata.json': '{}' });
  await symlink('/etc/passwd', join(linked, 'model.onnx'));
  assert.match((await findPickles(linked, 'onnx'))[0]?.message ?? '', /model\.onnx is no plain file/);
});

test('wrappers are those of the SDK and nothing else', async () => {
  const none = await checkWrappers(await folderWith({ 'metadata.json': '{}' }));
  assert.deepEqual(
    none.map(({ message }) => message),
    ['The export has no Python wrapper.'],
  );
  const own = await checkWrappers(
    await folderWith({
      'runtime/python/predict.py': 'import os\n',
      'runtime/python/helper.py': '',
      'runtime/swift/x': '',
    }),
  );
  assert.deepEqual(
    own.map(({ check, message }) => [check, message]),
    [
      ['export-selftest', "runtime/python/helper.py is no file of the SDK's wrappers."],
      ['export-selftest', "runtime/python/predict.py differs from the SDK's."],
      ['export-selftest', "runtime/swift/x is no file of the SDK's wrappers."],
    ],
  );
});
