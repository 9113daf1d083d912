import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseExportMetadata, type ExportMetadata } from '@trainyard/plugin-sdk/export';
import type { ExportFault } from './export-check.ts';
import { walkExport, type WalkedFile } from './export-walk.ts';

export { linkOrMissing } from './export-walk.ts';

/** Names of contract.md §8.1. */
const MODEL_FILES: Readonly<Record<string, readonly string[]>> = {
  onnx: ['model.onnx'],
  torchscript: ['model.torchscript'],
  openvino: ['model_openvino/model.xml', 'model_openvino/model.bin'],
  ncnn: ['model_ncnn/model.param', 'model_ncnn/model.bin'],
  executorch: ['model.pte'],
  tflite: ['model.tflite'],
  coreml: ['model.mlpackage/Manifest.json'],
  tensorrt: ['model.engine'],
};
const BESIDE = ['metadata.json', 'labels.txt', 'README.md', 'LICENSE', 'NOTICE', 'verification.json'];
const FIX = 'Let the SDK write the bundle; write nothing into output/export after it.';

/**
 * The files of contract.md §8.1: names, sizes and digests as metadata.json has them, labels in the order of the dataset (`export-files`), a valid
 * metadata.json (`export-metadata`). `labels`: the classes of dataset.json; absent: only metadata and labels.txt are compared.
 */
export async function checkExportFiles(folder: string, labels?: readonly string[]): Promise<ExportFault[]> {
  const { files, strange } = await walkExport(folder).catch(() => ({ files: [], strange: [] }));
  const there = new Map(files.map((file) => [file.path, file]));
  const faults = strange.map((path) => fault(path, `${path} is a link or something else that is no plain file.`));
  const text = there.has('metadata.json') ? await readFile(join(folder, 'metadata.json'), 'utf8') : null;
  if (text === null) return [...faults, fault('metadata.json', 'The export has no metadata.json.')];
  const parsed = parseExportMetadata(text);
  if (!parsed.ok) {
    const where = parsed.pointer === '' ? '' : ` at ${parsed.pointer}`;
    return [
      ...faults,
      { ...fault('metadata.json', `metadata.json ${parsed.reason}${where}.`), check: 'export-metadata' },
    ];
  }
  const { metadata } = parsed;
  faults.push(...missingFiles(metadata, there));
  faults.push(...unlistedFiles(metadata, files));
  for (const entry of metadata.artifact.files) {
    const found = there.get(entry.path);
    if (found === undefined) continue;
    if (found.bytes !== entry.bytes)
      faults.push(fault(entry.path, `${entry.path} has ${found.bytes} bytes; metadata.json says ${entry.bytes}.`));
    else if ((await digestOf(join(folder, entry.path))) !== entry.sha256)
      faults.push(fault(entry.path, `${entry.path} is not the file whose digest metadata.json holds.`));
  }
  faults.push(...(await labelFaults(folder, metadata, there.has('labels.txt'), labels)));
  return faults;
}

function fault(file: string, message: string): ExportFault {
  return { check: 'export-files', file, message, fix: FIX };
}

function missingFiles({ artifact, outputs }: ExportMetadata, there: ReadonlyMap<string, WalkedFile>): ExportFault[] {
  const tensors = outputs.map((_, index) => `selftest/output-${index}.npy`);
  const wanted = [
    ...(MODEL_FILES[artifact.format] ?? []),
    ...['labels.txt', 'README.md', 'LICENSE'],
    ...['selftest/input.png', 'selftest/input.npy', 'selftest/expected.json', ...tensors],
    ...artifact.files.map(({ path }) => path),
  ];
  const missing = [...new Set(wanted)].filter((path) => !there.has(path));
  return missing.map((path) => fault(path, `The export has no ${path}.`));
}

/** Model data that nobody answers for. */
function unlistedFiles({ artifact }: ExportMetadata, files: readonly WalkedFile[]): ExportFault[] {
  const listed = new Set([...BESIDE, ...artifact.files.map(({ path }) => path)]);
  return files
    .filter(({ path }) => !listed.has(path) && !/^(?:selftest|runtime)\//.test(path))
    .map(({ path }) => fault(path, `${path} is not listed in artifact.files of metadata.json.`));
}

async function labelFaults(
  folder: string,
  metadata: ExportMetadata,
  hasFile: boolean,
  labels: readonly string[] | undefined,
): Promise<ExportFault[]> {
  const faults: ExportFault[] = [];
  const text = hasFile ? await readFile(join(folder, 'labels.txt'), 'utf8') : null;
  const expected = metadata.labels.map((label) => `${label}\n`).join('');
  if (text !== null && text !== expected)
    faults.push(fault('labels.txt', 'labels.txt does not hold the labels of metadata.json, one a line.'));
  if (labels !== undefined && labels.join('\n') !== metadata.labels.join('\n')) {
    const message = 'The labels are not the classes of dataset.json in their order.';
    faults.push({
      ...fault('metadata.json', message),
      evidence: `${metadata.labels.join(', ')} instead of ${labels.join(', ')}`,
    });
  }
  return faults;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(file)) hash.update(part);
  return hash.digest('hex');
}
