import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExportMetadata, type ExportMetadata } from '@trainyard/plugin-sdk/export';
import { candidateLists, inOneOrder, outputParts, valuesOf } from './output-parts.ts';
import { semanticsProblem } from './semantic-shapes.ts';

function metadata(
  task: string,
  outputs: readonly { name: string; shape: readonly number[]; semantics: string; background?: boolean }[],
  change: { precision?: string; decode?: Record<string, unknown> } = {},
): ExportMetadata {
  const parsed = parseExportMetadata(
    JSON.stringify({
      schema: 'export/v1',
      createdAt: '2026-01-01T00:00:00Z',
      model: { task, id: 'tiny', trainer: '@test/tiny@1.0.0' },
      artifact: {
        format: 'onnx',
        precision: change.precision ?? 'fp32',
        dynamic: [],
        files: [{ path: 'model.onnx', bytes: 1, sha256: '0'.repeat(64) }],
      },
      inputs: [{ name: 'x', dtype: 'float32', shape: [1, 3, 8, 8] }],
      outputs: outputs.map((output) => ({ dtype: 'float32', ...output })),
      preprocess: [],
      postprocess: [{ op: 'decode', scheme: outputs[0]?.semantics, ...change.decode }],
      labels: ['a', 'b'],
      license: 'Apache-2.0',
      notices: [],
    }),
  );
  assert.ok(parsed.ok);
  return parsed.metadata;
}

test('boxes, scores and angles are judged by what they mean', () => {
  const obb = metadata('obb', [{ name: 'out', shape: [1, 7, 2], semantics: 'yolo-obb-raw' }]);
  assert.deepEqual(
    outputParts(obb)[0]?.map(({ name, tolerance }) => [name, tolerance]),
    [
      ['out:boxes', 1e-2],
      ['out:scores', 1e-4],
      ['out:angle', 1e-3],
    ],
  );
  const tensor = { shape: [1, 7, 2], data: Float32Array.from({ length: 14 }, (_, i) => i) };
  assert.deepEqual(
    outputParts(obb)[0]?.map((part) => [...valuesOf(tensor, part)]),
    [
      [0, 1, 2, 3, 4, 5, 6, 7],
      [8, 9, 10, 11],
      [12, 13],
    ],
  );
  const pose = metadata('pose', [{ name: 'out', shape: [1, 2, 12], semantics: 'yolo-end2end' }], {
    precision: 'fp16',
    decode: { keypoints: [2, 3] },
  });
  const row = { shape: [1, 1, 12], data: Float32Array.from({ length: 12 }, (_, i) => i) };
  const parts = outputParts(pose)[0] ?? [];
  assert.deepEqual(
    parts.slice(3).map((part) => [part.name, part.tolerance, [...valuesOf(row, part)]]),
    [
      ['out:keypoints x', 1, [6, 9]],
      ['out:keypoints y', 1, [7, 10]],
      ['out:visibility', 5e-3, [8, 11]],
    ],
  );
  const int8 = metadata('detect', [{ name: 'out', shape: [1, 6, 2], semantics: 'yolo-raw' }], { precision: 'int8' });
  assert.deepEqual(
    outputParts(int8)[0]?.map(({ tolerance }) => tolerance),
    [null, null],
  );
});

test('candidates may change places; filling rows mean nothing', () => {
  const detr = metadata('detect', [
    { name: 'logits', shape: [1, 3, 2], semantics: 'detr' },
    { name: 'pred_boxes', shape: [1, 3, 4], semantics: 'detr' },
  ]);
  assert.deepEqual(candidateLists(detr), { lists: [0, 1], filling: null });
  const logits = { shape: [1, 3, 2], data: Float32Array.from([1, 2, 3, 4, 5, 6]) };
  const boxes = { shape: [1, 3, 4], data: Float32Array.from({ length: 12 }, (_, i) => i / 12) };
  const turned = [
    { shape: [1, 3, 2], data: Float32Array.from([5, 6, 1, 2, 3, 4]) },
    { shape: [1, 3, 4], data: Float32Array.from([...boxes.data.slice(8), ...boxes.data.slice(0, 8)]) },
  ];
  const { wanted, got } = inOneOrder(detr, [logits, boxes], turned);
  assert.deepEqual(got, wanted);
  const end = metadata('detect', [{ name: 'out', shape: [1, 2, 6], semantics: 'yolo-end2end' }]);
  const list = (score: number, x: number) => ({
    shape: [1, 2, 6],
    data: Float32Array.of(1, 2, 3, 4, 0.9, 1, x, x, x, x, score, 0),
  });
  const filled = inOneOrder(end, [list(0.001, 5)], [list(0.002, 50)]);
  assert.deepEqual(filled.got, filled.wanted);
  const real = inOneOrder(end, [list(0.5, 5)], [list(0.5, 50)]);
  assert.notDeepEqual(real.got, real.wanted);
});

test('an output that cannot mean what it is said to mean', () => {
  const told = (task: string, semantics: string, shape: readonly number[], name = 'out', background = false) =>
    semanticsProblem(metadata(task, [{ name, shape, semantics, background }]));
  assert.equal(told('classify', 'logits', [1, 2]), null);
  assert.match(told('classify', 'logits', [1, 3]) ?? '', /of 2 classes has 2 at side 1/);
  assert.equal(told('detect', 'yolo-raw', [1, 6, 100]), null);
  assert.match(told('detect', 'yolo-raw', [1, 100, 6]) ?? '', /has 6 at side 1/);
  assert.match(told('detect', 'yolo-obb-raw', [1, 7, 100]) ?? '', /no answer of the task detect/);
  assert.equal(told('detect', 'detr', [1, 30, 3], 'logits', true), null);
  assert.match(told('detect', 'detr', [1, 30, 3], 'logits') ?? '', /has 2 at side 2/);
  assert.match(told('semantic', 'semantic-logits', [1, 2, 8]) ?? '', /has 4 sides/);
  assert.match(told('cook', 'logits', [1, 2]) ?? '', /not known/);
});
