import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import {
  compareTensors,
  indexOfMax,
  parseExportMetadata,
  readNpy,
  readOnnx,
  type ExportMetadata,
  type NpyArray,
  type OnnxFile,
} from '@trainyard/plugin-sdk/export';
import type { ExportCheckId, VerifiedOutput } from './export-check.ts';
import { inOneOrder, outputParts, valuesOf } from './output-parts.ts';

/** The part that runs in the child process: reads what a trainer left, so every file is taken for hostile. */

/** One line for the parent; `check` where it is refuted. */
export interface ParityAnswer extends Record<string, unknown> {
  readonly state: 'proven' | 'refuted';
  readonly check?: ExportCheckId;
  readonly reason?: string;
  readonly runtime: string;
  /** Self-test inputs that went through the model; a batch of two counts as two more. */
  readonly inputs: number;
  readonly outputs: readonly VerifiedOutput[];
  readonly milliseconds?: number;
}

/** The export is not what it says: a sentence for people. */
export class Refuted extends Error {
  readonly check: ExportCheckId;
  constructor(check: ExportCheckId, reason: string) {
    super(reason);
    this.check = check;
  }
}
/** It cannot be checked here, whoever is right. Anything else that is thrown is a defect of ours or of the runtime. */
export class Undecided extends Error {}

const RUNS = 20;

/** What onnxruntime-node gives, as far as it is used. */
export interface OnnxRuntime {
  readonly version: string;
  open(model: string | Uint8Array): Promise<OnnxSession>;
}
export interface OnnxSession {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  run(name: string, dtype: string, tensor: NpyArray): Promise<ReadonlyMap<string, NpyArray>>;
}

export async function checkParity(
  folder: string,
  override: number | undefined,
  runtime: OnnxRuntime,
): Promise<ParityAnswer> {
  const parsed = parseExportMetadata(readInside(folder, 'metadata.json').toString('utf8'));
  if (!parsed.ok) throw new Refuted('export-metadata', `metadata.json ${parsed.reason} at ${parsed.pointer}`);
  const { metadata } = parsed;
  const { session, file } = await openModel(folder, metadata, runtime);
  const [declared, second] = metadata.inputs;
  if (declared === undefined || second !== undefined || session.inputs.length !== 1)
    throw new Undecided('The self-test covers models with one input only.');
  compareWithFile('input', session.inputs, file.inputs, metadata.inputs);
  compareWithFile('output', session.outputs, file.outputs, metadata.outputs);

  const input = readTensor(folder, 'selftest/input.npy');
  fits('input', declared, input, 'selftest/input.npy');
  const expected = metadata.outputs.map((_, index) => readTensor(folder, `selftest/output-${index}.npy`));
  const single = await session.run(declared.name, declared.dtype, input);
  const rounds = [metadata.outputs.map((output) => single.get(output.name))];
  for (const output of metadata.outputs) {
    const answer = single.get(output.name);
    if (answer !== undefined) fits('output', output, answer, "the file's answer");
  }
  if (metadata.artifact.dynamic.includes('batch')) {
    const doubled = await session.run(declared.name, declared.dtype, twice(input));
    const each = metadata.outputs.map((output) => halves(doubled.get(output.name)));
    rounds.push(
      each.map(([first]) => first),
      each.map(([, other]) => other),
    );
  }
  const { outputs, reason } = judge(metadata, expected, rounds, override);
  const common = { runtime: runtime.version, inputs: rounds.length, outputs };
  if (reason !== undefined) return { state: 'refuted', check: 'export-parity', reason, ...common };
  const milliseconds = await medianOf(() => session.run(declared.name, declared.dtype, input));
  return { state: 'proven', ...common, milliseconds };
}

async function medianOf(run: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < RUNS; i += 1) {
    const began = performance.now();
    await run();
    taken.push(performance.now() - began);
  }
  taken.sort((a, b) => a - b);
  return Math.round(((taken[RUNS / 2 - 1] ?? 0) + (taken[RUNS / 2] ?? 0)) * 500) / 1000;
}

interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

/** What the file says of itself against metadata.json. A side that the file leaves open may be fixed there: running shows whether it is true. */
function compareWithFile(
  what: string,
  names: readonly string[],
  found: readonly TensorInfo[],
  claimed: readonly TensorInfo[],
): void {
  const told = claimed.map(({ name }) => name);
  const list = (items: readonly string[]): string => items.map((name) => `"${name}"`).join(', ');
  if ([...names].sort().join('\n') !== [...told].sort().join('\n'))
    throw new Refuted('export-metadata', `metadata.json names the ${what} ${list(told)}, the model ${list(names)}.`);
  for (const { name, dtype, shape } of claimed) {
    const real = found.find((item) => item.name === name);
    if (real === undefined) continue;
    if (real.dtype !== dtype)
      throw new Refuted(
        'export-metadata',
        `The ${what} "${name}" is ${real.dtype} in the file, ${dtype} in metadata.json.`,
      );
    const same =
      real.shape.length === shape.length &&
      real.shape.every((side, i) => typeof side !== 'number' || side === shape[i]);
    if (!same)
      throw new Refuted(
        'export-metadata',
        `The ${what} "${name}" has the shape ${real.shape.join('×')} in the file, ${shape.join('×')} in metadata.json.`,
      );
  }
}

function fits(what: string, { name, shape }: TensorInfo, tensor: NpyArray, where: string): void {
  const same =
    shape.length === tensor.shape.length &&
    shape.every((side, i) => typeof side !== 'number' || side === tensor.shape[i]);
  if (same) return;
  throw new Refuted(
    'export-metadata',
    `metadata.json gives the ${what} "${name}" the shape ${shape.join('×')}; ${where} has ${tensor.shape.join('×')}.`,
  );
}

function judge(
  metadata: ExportMetadata,
  expected: readonly NpyArray[],
  rounds: readonly (readonly (NpyArray | undefined)[])[],
  override: number | undefined,
): { outputs: VerifiedOutput[]; reason: string | undefined } {
  const figures = new Map<string, VerifiedOutput>();
  const parts = outputParts(metadata, override);
  const reasons: string[] = [];
  for (const round of rounds) {
    const present = round.flatMap((tensor) => (tensor === undefined ? [] : [tensor]));
    const odd = metadata.outputs.findIndex((_, i) => round[i]?.data.length !== expected[i]?.data.length);
    const sorted = odd < 0 ? inOneOrder(metadata, expected, present) : { wanted: [], got: [] };
    metadata.outputs.forEach(({ name, semantics }, index) => {
      const [wanted, got] = [sorted.wanted[index], sorted.got[index]];
      if (wanted === undefined || got === undefined) {
        if (index === Math.max(odd, 0)) reasons.push(lengthsOf(name, round[index], expected[index]));
        figures.set(name, { name, maxAbs: Infinity, meanAbs: Infinity, tolerance: null });
        return;
      }
      for (const part of parts[index] ?? []) {
        const { tolerance } = part;
        const seen = compareTensors(valuesOf(got, part), valuesOf(wanted, part), tolerance ?? Infinity);
        const before = figures.get(part.name) ?? { maxAbs: 0, meanAbs: 0 };
        const maxAbs = Math.max(before.maxAbs, seen.maxAbs);
        figures.set(part.name, { name: part.name, maxAbs, meanAbs: Math.max(before.meanAbs, seen.meanAbs), tolerance });
        if (seen.maxAbs === Infinity) reasons.push(`Output "${part.name}" holds values that are no numbers.`);
        else if (!seen.passed)
          reasons.push(`Output "${part.name}" differs by ${seen.maxAbs.toPrecision(3)}; allowed is ${tolerance}.`);
      }
      if (/^(logits|probs)$/.test(semantics) && !sameClasses(got, wanted))
        reasons.push(`Output "${name}" names another class.`);
    });
  }
  return { outputs: [...figures.values()], reason: reasons[0] };
}

function lengthsOf(name: string, got: NpyArray | undefined, wanted: NpyArray | undefined): string {
  return `Output "${name}" has ${got?.shape.join('×') ?? 'no'} values; the self-test has ${wanted?.shape.join('×')}.`;
}

async function openModel(
  folder: string,
  metadata: ExportMetadata,
  runtime: OnnxRuntime,
): Promise<{ session: OnnxSession; file: OnnxFile }> {
  const name = metadata.artifact.files.find((file) => file.path.endsWith('.onnx'))?.path ?? 'model.onnx';
  const bytes = readInside(folder, name);
  let file: OnnxFile;
  try {
    file = readOnnx(bytes);
  } catch (error) {
    throw new Refuted('export-loads', `${name} cannot be read: ${sentenceOf(error)}`);
  }
  for (const external of file.externalFiles) {
    const listed = metadata.artifact.files.some((entry) => entry.path === external);
    if (!listed)
      throw new Refuted(
        'export-data-only',
        `The model wants data from "${external}", which is not a file of this export.`,
      );
    placeInside(folder, external);
  }
  try {
    // From memory the runtime has no folder to look into: only a model that needs its own files gets a path.
    const session = await runtime.open(file.externalFiles.length === 0 ? bytes : placeInside(folder, name));
    return { session, file };
  } catch (error) {
    throw new Refuted('export-loads', `The model cannot be loaded: ${sentenceOf(error)}`);
  }
}

function sentenceOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

/** A plain file of the export, reached without any link that leads out of it. */
function placeInside(folder: string, path: string): string {
  const root = realpathSync(folder);
  let real: string;
  try {
    real = realpathSync(join(root, path));
  } catch {
    throw new Refuted('export-files', `The export has no ${path}.`);
  }
  const plain = lstatSync(join(root, path)).isFile() && real.startsWith(`${root}${sep}`);
  if (!plain) throw new Refuted('export-files', `${path} is not a plain file inside the export.`);
  return real;
}

function readInside(folder: string, path: string): Buffer {
  return readFileSync(placeInside(folder, path));
}

function readTensor(folder: string, path: string): NpyArray {
  const bytes = readInside(folder, path);
  try {
    return readNpy(bytes);
  } catch (error) {
    throw new Refuted('export-files', `${path}: ${sentenceOf(error)}`);
  }
}

function twice({ shape, data }: NpyArray): NpyArray {
  const [batch = 1, ...rest] = shape;
  const both = new Float32Array(data.length * 2);
  both.set(data, 0);
  both.set(data, data.length);
  return { shape: [batch * 2, ...rest], data: both };
}

function halves(tensor: NpyArray | undefined): readonly [NpyArray | undefined, NpyArray | undefined] {
  if (tensor === undefined) return [undefined, undefined];
  const [batch = 0, ...rest] = tensor.shape;
  const middle = tensor.data.length / 2;
  const shape = [batch / 2, ...rest];
  return [
    { shape, data: tensor.data.slice(0, middle) },
    { shape, data: tensor.data.slice(middle) },
  ];
}

function sameClasses(actual: NpyArray, expected: NpyArray): boolean {
  const classes = expected.shape.at(-1) ?? 0;
  if (classes === 0) return true;
  for (let at = 0; at < expected.data.length; at += classes) {
    const same =
      indexOfMax(actual.data.subarray(at, at + classes)) === indexOfMax(expected.data.subarray(at, at + classes));
    if (!same) return false;
  }
  return true;
}
