import { createReadStream } from 'node:fs';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { leastAgreement, type ExportMetadata } from '@trainyard/plugin-sdk/export';
import { CHECKERS_FOLDER, WRAPPER_FOLDER } from './checkers.ts';
import type {
  CheckLimits,
  Checkers,
  ExportCheck,
  PredictedExport,
  PredictExportRequest,
  ReferencePredictions,
} from './export-check.ts';
import { runLimited } from './limited-child.ts';
import { candidateLists, outputParts } from './output-parts.ts';
import { declared, parseCheck, refuted } from './parse-check.ts';
import { sandboxed, wallHere } from './python-sandbox.ts';

const DEFAULTS = { maxSeconds: 300, memoryBytes: 4 * 2 ** 30 };
const MOST_REFERENCES = 16;

export interface PythonCheck extends CheckLimits {
  readonly exportFolder: string;
  readonly format: string;
  readonly metadata: ExportMetadata;
  readonly checkers: Checkers;
  readonly reference?: ReferencePredictions;
  readonly tolerance?: number;
}

/** Opens the file with the SDK's wrapper in a runtime of the checkers' environment, in a sandbox without network. */
export async function checkInPython(check: PythonCheck): Promise<ExportCheck> {
  const { metadata, format } = check;
  if (format === 'torchscript' && (await wallHere()) === 'none')
    return declared('Opening TorchScript runs its code, and this machine has no sandbox. Install bubblewrap.');
  const folder = await realpath(check.exportFolder);
  const { precision } = metadata.artifact;
  const parts = outputParts(metadata, check.tolerance);
  const sets = candidateLists(metadata);
  const agreements = metadata.outputs.map(({ semantics }) => leastAgreement(semantics, precision));
  const reference = check.reference === undefined ? null : await firstLines(check.reference);
  if (reference === null && check.reference !== undefined)
    return declared('The predictions of the checkpoint, which it is to be held against, cannot be read.');
  const answer = await ask(check, check.checkers, {
    request: { mode: 'verify', folder, format, parts, sets, leastAgreement: Math.max(...agreements), reference },
    readable: [folder, ...(reference === null ? [] : [reference.images, dirname(reference.predictions)])],
    writable: [],
  });
  return parseCheck(answer);
}

/** Predictions of the exported model, for a metric of our own. Never throws for what the export holds. */
export async function predictInPython(request: PredictExportRequest): Promise<PredictedExport> {
  const { format, list, threshold } = request;
  if (format === 'torchscript' && (await wallHere()) === 'none')
    return { predictions: null, runtime: '', reason: 'Opening TorchScript runs its code; install bubblewrap.' };
  const [folder, images, output] = await Promise.all([
    realpath(request.exportFolder),
    realpath(request.images),
    realpath(request.output),
  ]);
  const { state, runtime, reason } = parseCheck(
    await ask(request, request.checkers, {
      request: { mode: 'predict', folder, format, images, list, output, threshold: threshold ?? null },
      readable: [folder, images],
      writable: [output],
    }),
  );
  const predictions = state === 'proven' ? join(output, 'predictions.jsonl') : null;
  return { predictions, runtime, reason };
}

interface Question {
  readonly request: Record<string, unknown>;
  readonly readable: readonly string[];
  readonly writable: readonly string[];
}

/** The line that the checker answered, or what is to be said instead of one. */
async function ask(limits: CheckLimits, { python }: Checkers, question: Question): Promise<string | ExportCheck> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'trainyard-check-')));
  try {
    const file = join(home, 'request.json');
    await writeFile(file, JSON.stringify({ ...question.request, wrapper: WRAPPER_FOLDER }));
    const argv = await sandboxed({
      python,
      args: [join(CHECKERS_FOLDER, 'check_export.py'), file],
      readable: [CHECKERS_FOLDER, WRAPPER_FOLDER, home, ...question.readable],
      writable: question.writable,
    });
    const { maxSeconds, memoryBytes, signal } = { ...DEFAULTS, ...defined(limits) };
    const ran = await runLimited({
      argv,
      home,
      environment: { OMP_NUM_THREADS: '1', OPENVINO_TELEMETRY: '0', PYTHONHASHSEED: '0' },
      limits: { maxSeconds, memoryBytes },
      signal,
    });
    if (ran.cut !== null) return refuted('export-loads', ran.cut);
    return ran.answer.trim() === ''
      ? refuted('export-loads', `The model made the checker stop (${ran.ended}).`)
      : ran.answer;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function defined({ maxSeconds, memoryBytes, signal }: CheckLimits): {
  maxSeconds?: number;
  memoryBytes?: number;
  signal?: AbortSignal;
} {
  return {
    ...(maxSeconds === undefined ? {} : { maxSeconds }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(signal === undefined ? {} : { signal }),
  };
}

interface FirstLines {
  readonly predictions: string;
  readonly images: string;
  readonly lines: readonly unknown[];
}

/** Answers of the checkpoint; null when the file is none. The trainer wrote it, so nothing is taken for granted. */
async function firstLines({
  predictions,
  images,
  most = MOST_REFERENCES,
}: ReferencePredictions): Promise<FirstLines | null> {
  const file = await realpath(predictions).catch(() => null);
  if (file === null) return null;
  const lines: unknown[] = [];
  const stream = createReadStream(file);
  try {
    for await (const line of createInterface(stream)) {
      if (lines.length === most) break;
      if (line.trim() !== '') lines.push(JSON.parse(line));
    }
  } catch {
    return null;
  } finally {
    stream.destroy();
  }
  return { predictions: file, images: await realpath(images), lines };
}
