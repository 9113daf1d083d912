import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Message } from '../trainer/protobuf.ts';
import {
  compareTensors,
  leastAgreement,
  parseExportMetadata,
  readNpy,
  readOnnx,
  toleranceOf,
  writeNpy,
} from './index.ts';

test('npy files: round trip, other types, refusals', () => {
  const array = { shape: [2, 3], data: Float32Array.from([1, -2.5, 3, 0, 1e-7, 9]) };
  const bytes = writeNpy(array);
  assert.deepEqual(readNpy(bytes), array);
  assert.equal((bytes.length - 24) % 64, 0);
  assert.deepEqual(readNpy(writeNpy({ shape: [3], data: new Float32Array(3) })).shape, [3]);
  const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n";
  const small = Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([header.length, 0]),
    Buffer.from(header),
    Buffer.from([7, 200]),
  ]);
  assert.deepEqual([...readNpy(small).data], [7, 200]);
  assert.throws(() => readNpy(bytes.subarray(0, bytes.length - 1)), /cut off/);
  assert.throws(() => readNpy(Buffer.from('hello world, no array')), /not a \.npy/);
  assert.throws(() => readNpy(Buffer.from(small.toString('latin1').replace('|u1', '|O8'), 'latin1')), /not supported/);
});

test('tolerances and comparison', () => {
  assert.equal(toleranceOf('logits', 'fp32'), 1e-3);
  assert.equal(toleranceOf('probs', 'fp16'), 5e-3);
  assert.equal(toleranceOf('logits', 'int8'), null);
  assert.equal(toleranceOf('x-own', 'fp32'), null);
  assert.equal(leastAgreement('logits', 'fp32'), 1);
  assert.deepEqual(compareTensors([1, 2], [1, 2.5], 0.4), { maxAbs: 0.5, meanAbs: 0.25, passed: false });
  assert.equal(compareTensors([1, 2], [1, 2.5], 0.5).passed, true);
  assert.equal(compareTensors([1], [1, 2], 1).passed, false);
  assert.equal(compareTensors([NaN], [1], 1).passed, false);
});

test('an ONNX file with external data, an inner graph, a free axis and another domain', () => {
  const tensor = new Message()
    .int(1, 4)
    .int(2, 1)
    .text(8, 'far')
    .message(13, new Message().text(1, 'location').text(2, 'model.onnx.data'))
    .int(14, 1);
  const inner = new Message().message(1, new Message().text(1, 'a').text(2, 'b').text(4, 'Tanh'));
  const branch = new Message().text(1, 'then_branch').message(6, inner).int(20, 5);
  const alpha = new Message().text(1, 'axis').int(3, -1);
  const node = new Message().text(1, 'x').text(2, 'y').text(4, 'If').message(5, branch).message(5, alpha);
  const foreign = new Message().text(1, 'y').text(2, 'z').text(4, 'Gelu').text(7, 'com.example');
  const shape = new Message()
    .message(1, new Message().text(2, 'batch'))
    .message(1, new Message().int(1, 4))
    .message(1, new Message());
  const input = new Message()
    .text(1, 'x')
    .message(2, new Message().message(1, new Message().int(1, 10).message(2, shape)));
  const graph = new Message().message(1, node).message(1, foreign).message(5, tensor).message(11, input);
  const model = new Message().int(1, 8).text(2, 'test').message(7, graph);
  model.message(8, new Message().text(1, '').int(2, 17)).message(14, new Message().text(1, 'task').text(2, 'classify'));
  const file = readOnnx(model.finish());
  assert.deepEqual(file.opTypes, ['If', 'Tanh', 'com.example.Gelu']);
  assert.deepEqual(file.externalFiles, ['model.onnx.data']);
  assert.deepEqual(file.inputs, [{ name: 'x', dtype: 'float16', shape: ['batch', 4, '?'] }]);
  assert.equal(file.opsets.get(''), 17);
  assert.equal(file.metadata.get('task'), 'classify');
  assert.equal(file.nodes[0]?.attributes.get('axis'), -1);
  assert.throws(() => readOnnx(model.finish().subarray(0, 60)), /cut off|format/);
  assert.throws(() => readOnnx(Buffer.from('not a model at all')), Error);
  assert.throws(() => readOnnx(new Uint8Array(0)), /not an ONNX/);
});

test('metadata that is not export/v1 is refused with a pointer', () => {
  const wrong = parseExportMetadata('{"schema":"export/v2"}');
  assert.ok(!wrong.ok);
  assert.equal(parseExportMetadata('{').ok, false);
});
