import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseExportMetadata, type ExportMetadata } from '@trainyard/plugin-sdk/export';
import { PREPARE_COMMAND } from './checkers.ts';
import type { ExportCheck, PredictedExport, PredictExportRequest, VerifyExportRequest } from './export-check.ts';
import { linkOrMissing } from './export-files.ts';
import { checkInNode } from './onnx-check.ts';
import { declared, refuted } from './parse-check.ts';
import { checkInPython, predictInPython } from './python-check.ts';
import { ownSemantics, semanticsProblem } from './semantic-shapes.ts';

/** Formats that the Python checkers open. */
const IN_PYTHON = ['onnx', 'torchscript', 'openvino', 'ncnn', 'tflite'];
const NOWHERE: Readonly<Record<string, string>> = {
  coreml: 'Core ML predicts on macOS only.',
  tensorrt: 'A TensorRT engine needs an NVIDIA GPU of the same class and the same TensorRT version.',
  executorch: 'The checkers hold no ExecuTorch runtime.',
};

/** Why no checker can run this format on any machine that the checkers are made for; null for those that they run. */
export function whyNotRunnable(format: string): string | null {
  return IN_PYTHON.includes(format) ? null : (NOWHERE[format] ?? `No checker here opens ${format}.`);
}

/**
 * Opens an exported model in a runtime that is not the trainer's and holds it against its metadata, its self-test and, where given, what the
 * checkpoint answered (contract.md §8.6, §8.7). The model is somebody else's file: it is only ever opened in a child process with limits, without
 * network. Never throws for anything that the export holds; an abort of the signal is thrown.
 */
export async function verifyExport(request: VerifyExportRequest): Promise<ExportCheck> {
  request.signal?.throwIfAborted();
  const read = await readMetadata(request.exportFolder, request.format);
  if (!('schema' in read)) return read;
  const { format } = request;
  const own = ownSemantics(read);
  if (own !== null) return declared(`Nobody but the author can decode ${own}.`);
  const problem = semanticsProblem(read);
  if (problem !== null) return refuted('export-metadata', problem);
  const nowhere = whyNotRunnable(format);
  if (nowhere !== null) return declared(nowhere);
  const checkers = request.checkers ?? null;
  const inNode = format === 'onnx' ? await checkInNode(request.exportFolder, request.tolerance, request) : null;
  if (inNode?.state === 'refuted') return inNode;
  if (checkers === null)
    return inNode ?? declared(`The checkers of ${format} are not prepared on this machine. Run: ${PREPARE_COMMAND}`);
  const inPython = await checkInPython({ ...request, metadata: read, checkers });
  return inNode?.state === 'proven' ? together(inNode, inPython) : inPython;
}

/** Predictions with the exported model, so that its metric can be recomputed (`export-accuracy`). */
export async function predictWithExport(request: PredictExportRequest): Promise<PredictedExport> {
  const read = await readMetadata(request.exportFolder, request.format);
  if (!('schema' in read)) return { predictions: null, runtime: '', reason: read.reason };
  const nowhere = whyNotRunnable(request.format);
  if (nowhere !== null) return { predictions: null, runtime: '', reason: nowhere };
  return predictInPython(request);
}

/** Two runtimes saw the same file: the stricter figure counts. */
function together(first: ExportCheck, second: ExportCheck): ExportCheck {
  if (second.state === 'declared') return first;
  return {
    ...second,
    runtime: `${first.runtime}, ${second.runtime}`,
    maxAbs: Math.max(first.maxAbs ?? 0, second.maxAbs ?? 0),
    meanAbs: Math.max(first.meanAbs ?? 0, second.meanAbs ?? 0),
    milliseconds: second.milliseconds ?? first.milliseconds,
  };
}

async function readMetadata(folder: string, format: string): Promise<ExportMetadata | ExportCheck> {
  const file = join(folder, 'metadata.json');
  const plain = await lstat(file).catch(() => null);
  if (plain === null) return refuted('export-files', 'The export has no metadata.json.');
  if (!plain.isFile()) return refuted('export-files', 'metadata.json is not a plain file inside the export.');
  const parsed = parseExportMetadata(await readFile(file, 'utf8'));
  if (!parsed.ok) {
    const where = parsed.pointer === '' ? '' : ` at ${parsed.pointer}`;
    return refuted('export-metadata', `metadata.json ${parsed.reason}${where}.`);
  }
  const { artifact } = parsed.metadata;
  if (artifact.format !== format)
    return refuted('export-metadata', `metadata.json says the format is ${artifact.format}, not ${format}.`);
  // The runtimes follow links; the export must not lead anywhere else.
  const bad = await linkOrMissing(
    folder,
    artifact.files.map(({ path }) => path),
  );
  return bad === null ? parsed.metadata : refuted('export-files', bad);
}
