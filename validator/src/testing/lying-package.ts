import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packTrainer } from '@trainyard/plugin-sdk/package';

const REFERENCE = fileURLToPath(new URL('../../../plugin-sdk/reference-trainer', import.meta.url));

interface Edit {
  readonly file: string;
  readonly line: string;
  readonly lie: string;
}

/** The reference trainer with one thing said that is not so. */
const LIES = {
  'metric-invented': [
    {
      file: 'src/evaluate.ts',
      line: '  const scores = scoreClassification(labels, ranked, names);',
      lie: '  const found = scoreClassification(labels, ranked, names);\n  const scores = { ...found, metrics: { ...found.metrics, top1: 0.987 } };',
    },
  ],
  'onnx-swapped': [
    {
      file: 'src/export-onnx.ts',
      line: '  const { net, labels, origin } = loadNet(run.source());',
      lie: '  const { net, labels, origin } = loadNet(run.source());\n  for (const { value } of net.parameters.slice(-2)) value.set([...value.subarray(value.length / 3), ...value.subarray(0, value.length / 3)]);',
    },
  ],
  'resume-anew': [
    {
      file: 'src/train.ts',
      line: '    const resumed = run.resume();',
      lie: '    const resumed = run.resume() && null;',
    },
  ],
  'stop-ignored': [
    {
      file: 'src/trainer_sdk/stop-watch.ts',
      line: "    process.on('SIGTERM', onSignal);",
      lie: "    process.on('SIGTERM', () => undefined);",
    },
  ],
  'setting-dropped': [
    {
      file: 'src/train.ts',
      line: "    this.#adam = new Adam(this.net.parameters, run.number('weight_decay'));",
      lie: '    this.#adam = new Adam(this.net.parameters, 0.0001);',
    },
    {
      file: 'src/trainer_sdk/effective-config.ts',
      line: '      ...(note === undefined ? {} : { note }),',
      lie: '',
    },
  ],
  'batch-ignored': [
    { file: 'src/train.ts', line: "    this.#batch = run.number('batch');", lie: '    this.#batch = 8;' },
  ],
  'classes-sorted': [
    {
      file: 'src/trainer_sdk/dataset-folder.ts',
      line: '  return classes;',
      lie: '  return classes.sort((a, b) => (a.name < b.name ? -1 : 1)).map((item, index) => ({ ...item, index }));',
    },
  ],
  'calls-home': [
    {
      file: 'src/train.ts',
      line: 'export async function train(run: Run): Promise<FinalMetrics> {',
      lie: "export async function train(run: Run): Promise<FinalMetrics> {\n  await fetch('https://telemetry.example.com/started').catch(() => undefined);",
    },
  ],
  'half-lines': [
    {
      file: 'src/trainer_sdk/event-writer.ts',
      line: '  while (done < bytes.length) done += writeSync(file, bytes, done);',
      lie: '  if (/"type":"checkpoint"/.test(bytes.toString())) bytes = Buffer.from(`${bytes.toString().slice(0, 30)}\\n`);\n  while (done < bytes.length) done += writeSync(file, bytes, done);',
    },
  ],
  'seed-ignored': [
    {
      file: 'src/train.ts',
      line: '    this.#random = new Random(run.seed + 1);',
      lie: '    this.#random = new Random(process.hrtime()[1]);',
    },
  ],
} as const satisfies Record<string, readonly Edit[]>;
export type Lie = keyof typeof LIES;

/** Packed; without lies it is the reference trainer as it is. */
export async function referenceWith(lies: readonly Lie[]): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'lying-trainer-'));
  try {
    await cp(REFERENCE, folder, { recursive: true, dereference: true });
    for (const { file, line, lie } of lies.flatMap((name): readonly Edit[] => LIES[name])) {
      const path = join(folder, file);
      const text = await readFile(path, 'utf8');
      assert.equal(text.split(line).length, 2, `${file} has the line once: ${line}`);
      await writeFile(
        path,
        text.replace(line, () => lie),
      );
    }
    return await packTrainer(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
