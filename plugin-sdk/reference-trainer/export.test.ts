import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type * as Onnx from 'onnxruntime-node';
import { decodePng } from '../src/trainer/png.ts';
import { metadataDigest, parseExportMetadata, readNpy, readOnnx, wrapperDigests } from '../src/export/index.ts';
import { isObject, listAt, numberAt, textAt } from '../src/trainer/json-value.ts';
import { loadNet } from './src/net-files.ts';
import { toInput } from './src/preprocess.ts';
import { digestFolder, sha256Hex } from '../src/trainer/stored-files.ts';
import { JobFolder, writeDigits } from './job-folder.ts';

const runtime: typeof Onnx = createRequire(import.meta.url)('onnxruntime-node');

async function logitsOf(model: Uint8Array, images: readonly Float32Array[], side: number): Promise<Float32Array> {
  const session = await runtime.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const data = Float32Array.from(images.flatMap((image) => [...image]));
  const { logits } = await session.run({ image: new runtime.Tensor('float32', data, [images.length, 1, side, side]) });
  assert.ok(logits !== undefined && logits.data instanceof Float32Array);
  return logits.data;
}

for (const model of ['mlp-small', 'conv-small']) {
  test(`${model}: ONNX Runtime gives what the net gives, within 1e-4`, async () => {
    const job = new JobFolder({ model, config: { epochs: 1 } });
    writeDigits(job, 12);
    assert.equal((await job.run('train')).code, 0);
    const saved = job.events().find((event) => event.type === 'checkpoint');
    assert.ok(saved !== undefined);
    const checkpoint = job.offer(saved);
    const wanted = { format: 'onnx', precision: 'fp32', dynamic: ['batch'], options: {} };
    const result = await job.run('export', { checkpoint, export: wanted, dataset: null });
    assert.equal(result.code, 0, result.stderr);

    const file = readFileSync(job.file('output/export/model.onnx'));
    const { net, labels } = loadNet({
      id: saved.id,
      step: 0,
      file: (name) => readFileSync(job.file(`${saved.path}/${name}`)),
    });
    const { side } = net.shape;
    const pictures = readFileSync(job.file('dataset/val.txt'), 'utf8').trim().split('\n').slice(0, 20);
    const inputs = pictures.map((path) => toInput(decodePng(readFileSync(job.file(`dataset/${path}`))), side));
    const batch = await logitsOf(file, inputs, side);
    for (const [at, input] of inputs.entries()) {
      for (const [c, value] of net.forward(input).entries()) {
        assert.ok(Math.abs((batch[at * 10 + c] ?? NaN) - value) < 1e-4, `picture ${at}, class ${c}`);
      }
    }

    const parsed = parseExportMetadata(readFileSync(job.file('output/export/metadata.json'), 'utf8'));
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const { metadata } = parsed;
    assert.deepEqual(metadata.inputs[0]?.shape, ['batch', 1, side, side]);
    assert.deepEqual(metadata.artifact.files, [{ path: 'model.onnx', bytes: file.length, sha256: sha256Hex(file) }]);
    assert.equal(metadata.verification?.passed, true);
    assert.equal(readOnnx(file).metadata.get('trainyard'), metadataDigest(metadata));
    assert.equal(
      readFileSync(job.file('output/export/labels.txt'), 'utf8'),
      labels.map((label) => `${label}\n`).join(''),
    );

    const picture = decodePng(readFileSync(job.file('output/export/selftest/input.png')));
    assert.notEqual(picture.width, picture.height);
    const input = readNpy(readFileSync(job.file('output/export/selftest/input.npy')));
    assert.deepEqual([input.shape, input.data], [[1, 1, side, side], toInput(picture, side)]);
    const output = readNpy(readFileSync(job.file('output/export/selftest/output-0.npy'))).data;
    const run = await logitsOf(file, [input.data], side);
    assert.ok(output.every((value, at) => Math.abs(value - (run[at] ?? NaN)) < 1e-4));
    const expected = job.json('output/export/selftest/expected.json');
    assert.equal(numberAt(listAt(expected, 'classes')[0], 'class'), output.indexOf(Math.max(...output)));

    const checked = spawnSync(process.execPath, [job.file('output/export/runtime/ts/selftest.js')], {
      encoding: 'utf8',
    });
    assert.equal(checked.status, 0, checked.stderr);
    const carried = digestFolder(job.file('output/export/runtime')).files;
    assert.deepEqual(
      carried,
      wrapperDigests().toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    );
    assert.deepEqual([...new Set(carried.map((file) => file.path.split('/')[0]))], ['cpp', 'python', 'ts']);

    cpSync(job.file('output/export'), job.file('input/model'), { recursive: true });
    const answers: unknown[] = [];
    for (const fields of [
      { checkpoint },
      { checkpoint: null, modelArtifact: { path: 'input/model', format: 'onnx' } },
    ]) {
      assert.equal((await job.run('predict', { ...fields, predict: { source: 'dataset/val' } })).code, 0);
      const lines = readFileSync(job.file('output/predictions.jsonl'), 'utf8').trim().split('\n');
      answers.push(
        lines
          .map((line) => JSON.parse(line))
          .filter(isObject)
          .map((line) => [textAt(line, 'image'), line['classes']]),
      );
    }
    assert.deepEqual(answers[0], answers[1]);
    job.remove();
  });
}
