import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { VerificationError } from './errors.ts';
import { writeNpy, type NpyArray } from './npy.ts';
import { readOnnx } from './onnx-file.ts';
import { encodePng, type Picture } from './png.ts';
import type { Run } from './run.ts';
import { digestFolder, sha256Hex } from './stored-files.ts';
import { wrapperFiles } from './wrapper-files.ts';

export interface OutputParity {
  readonly name: string;
  readonly maxAbs: number;
  readonly meanAbs: number;
  readonly tolerance: number;
}

export interface ExportParts {
  readonly family: string;
  /** Writes the model with these metadata entries into it; called twice, pure. */
  readonly onnx: (metadata: Readonly<Record<string, string>>) => Uint8Array;
  readonly layout: string;
  /** Meaning of each output of the file, in the file's order. */
  readonly semantics: readonly string[];
  readonly preprocess: readonly unknown[];
  readonly postprocess: readonly unknown[];
  readonly labels: readonly string[];
  /** Facts about the checkpoint, where they are known. */
  readonly origin: Readonly<Record<string, unknown>>;
  readonly selftest: {
    readonly picture: Picture;
    readonly input: NpyArray;
    readonly outputs: readonly NpyArray[];
    readonly classes: readonly unknown[];
  };
  /** Compares the finished file with the checkpoint. */
  readonly verify: (file: Uint8Array) => {
    runtime: string;
    inputs: number;
    outputs: OutputParity[];
    taskAgreement: number;
  };
  readonly readme: string;
}

/**
 * Digest that a model file carries as `trainyard`: of metadata.json without `artifact.files` and `verification`, which are only known once the
 * file is written. Keys are sorted, so the spelling of the document does not matter.
 */
export function metadataDigest(metadata: Readonly<Record<string, unknown>>): string {
  const { verification: _verification, artifact, ...rest } = metadata;
  const { files: _files, ...kept } =
    artifact !== null && typeof artifact === 'object' ? { files: null, ...artifact } : { files: null };
  return `sha256:${sha256Hex(sortedJson({ ...rest, artifact: kept }))}`;
}

function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${sortedJson(item)}`).join(',')}}`;
}

/** Writes model.onnx, metadata.json, labels.txt, selftest/, runtime/, README.md and LICENSE. What the metadata says of the file is read from the file. */
export function writeExportBundle(run: Run, folder: string, parts: ExportParts): void {
  const { job, trainer } = run;
  const notes = { labels: JSON.stringify(parts.labels), task: run.task };
  const plain = readOnnx(parts.onnx(notes));
  const draft = {
    schema: 'export/v1',
    createdAt: new Date().toISOString(),
    model: {
      ...{
        task: run.task,
        family: parts.family,
        id: run.model,
        trainer: `${trainer.name}@${trainer.version}`,
        jobId: job.jobId,
      },
      ...{
        checkpointSha256: job.checkpoint?.sha256 ?? null,
        configDigest: job.configDigest,
        datasetDigest: job.dataset?.digest ?? null,
      },
      ...parts.origin,
    },
    artifact: {
      format: 'onnx',
      precision: job.export.precision,
      opset: plain.opsets.get('') ?? 0,
      dynamic: job.export.dynamic,
      files: [{}],
    },
    inputs: plain.inputs.map((input) => ({ ...input, layout: parts.layout })),
    outputs: plain.outputs.map((output, index) => ({ ...output, semantics: parts.semantics[index] ?? 'x-unknown' })),
    preprocess: parts.preprocess,
    postprocess: parts.postprocess,
    labels: parts.labels,
    license: trainer.license,
    notices: [],
  };
  const model = parts.onnx({ trainyard: metadataDigest(draft), ...notes });
  const found = parts.verify(model);
  const passed = found.outputs.every((output) => output.maxAbs <= output.tolerance) && found.taskAgreement === 1;
  const file = { path: 'model.onnx', bytes: model.length, sha256: sha256Hex(model) };
  const metadata = {
    ...draft,
    artifact: { ...draft.artifact, files: [file] },
    verification: { by: 'trainer', device: 'cpu', ...found, passed },
  };
  const write = (path: string, bytes: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  };
  write('model.onnx', model);
  write('metadata.json', `${JSON.stringify(metadata, null, 2)}\n`);
  write('labels.txt', parts.labels.map((label) => `${label}\n`).join(''));
  const { picture, input, outputs, classes } = parts.selftest;
  write('selftest/input.png', encodePng(picture));
  write('selftest/input.npy', writeNpy(input));
  for (const [index, output] of outputs.entries()) write(`selftest/output-${index}.npy`, writeNpy(output));
  const expected = { image: 'selftest/input.png', width: picture.width, height: picture.height, classes };
  write('selftest/expected.json', `${JSON.stringify(expected)}\n`);
  for (const wrapper of wrapperFiles()) write(`runtime/${wrapper.path}`, wrapper.bytes);
  write('README.md', parts.readme);
  if (existsSync(join(trainer.folder, 'LICENSE')))
    copyFileSync(join(trainer.folder, 'LICENSE'), join(folder, 'LICENSE'));
  if (!passed) {
    throw new VerificationError('The exported file does not give what the checkpoint gives.', {
      hint: `Largest difference ${Math.max(...found.outputs.map((output) => output.maxAbs))}; see metadata.json.`,
    });
  }
  run.artifact('model', 'export/model.onnx', 'application/octet-stream', 'ONNX model');
  run.log('info', `Exported ${digestFolder(folder).files.length} files.`);
}
