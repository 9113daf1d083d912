import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import {
  compareTensors,
  indexOfMax,
  parseExportMetadata,
  readNpy,
  readOnnx,
  toleranceOf,
  type ExportMetadata,
  type NpyArray,
} from '@trainyard/plugin-sdk/export';

/** The part that runs in the child process: reads what a trainer left, so every file is taken for hostile. */

export interface VerifiedOutput {
  readonly name: string;
  readonly maxAbs: number;
  readonly meanAbs: number;
  /** Null: no number is judged, only agreement on the class or finite values. */
  readonly tolerance: number | null;
}

export interface ParityResult {
  readonly passed: boolean;
  readonly maxAbs: number;
  readonly meanAbs: number;
  /** Self-test inputs that went through the model; a batch of two counts as two more. */
  readonly inputs: number;
  readonly outputs: readonly VerifiedOutput[];
  readonly runtime: string;
  readonly reason?: string;
}

/** A sentence for people; anything else that is thrown is a defect of ours or of the runtime. */
export class Unverifiable extends Error {}

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
): Promise<ParityResult> {
  const parsed = parseExportMetadata(readInside(folder, 'metadata.json').toString('utf8'));
  if (!parsed.ok)
    throw new Unverifiable(`metadata.json ${parsed.reason}${parsed.pointer === '' ? '' : ` at ${parsed.pointer}`}`);
  const { metadata } = parsed;
  const session = await openModel(folder, metadata, runtime);
  const [declared, second] = metadata.inputs;
  if (declared === undefined || second !== undefined || session.inputs.length !== 1) {
    throw new Unverifiable('The self-test covers models with one input only.');
  }
  if (session.inputs[0] !== declared.name) {
    throw new Unverifiable(`metadata.json names the input "${declared.name}", the model "${session.inputs[0]}".`);
  }
  const missing = metadata.outputs.find((output) => !session.outputs.includes(output.name));
  if (missing !== undefined)
    throw new Unverifiable(`The model has no output "${missing.name}", which metadata.json names.`);

  const input = readNpy(readInside(folder, 'selftest/input.npy'));
  const expected = metadata.outputs.map((_, index) => readNpy(readInside(folder, `selftest/output-${index}.npy`)));
  const single = await session.run(declared.name, declared.dtype, input);
  const rounds = [metadata.outputs.map((output) => single.get(output.name))];
  if (metadata.artifact.dynamic.includes('batch')) {
    const doubled = await session.run(declared.name, declared.dtype, twice(input));
    const each = metadata.outputs.map((output) => halves(doubled.get(output.name)));
    rounds.push(
      each.map(([first]) => first),
      each.map(([, other]) => other),
    );
  }
  return judge(metadata, expected, rounds, override, runtime.version);
}

function judge(
  metadata: ExportMetadata,
  expected: readonly NpyArray[],
  rounds: readonly (readonly (NpyArray | undefined)[])[],
  override: number | undefined,
  runtime: string,
): ParityResult {
  const outputs: VerifiedOutput[] = [];
  const reasons: string[] = [];
  metadata.outputs.forEach(({ name, semantics }, index) => {
    const wanted = expected[index];
    const tolerance = override ?? toleranceOf(semantics, metadata.artifact.precision);
    let [maxAbs, meanAbs] = [0, 0];
    for (const round of rounds) {
      const actual = round[index];
      if (wanted === undefined || actual === undefined || actual.data.length !== wanted.data.length) {
        reasons.push(
          `Output "${name}" has ${actual?.shape.join('×') ?? 'no'} values; the self-test has ${wanted?.shape.join('×')}.`,
        );
        maxAbs = meanAbs = Infinity;
        continue;
      }
      const parity = compareTensors(actual.data, wanted.data, tolerance ?? Infinity);
      maxAbs = Math.max(maxAbs, parity.maxAbs);
      meanAbs = Math.max(meanAbs, parity.meanAbs);
      if (parity.maxAbs === Infinity) reasons.push(`Output "${name}" holds values that are no numbers.`);
      else if (!parity.passed)
        reasons.push(`Output "${name}" differs by ${parity.maxAbs.toPrecision(3)}; allowed is ${tolerance}.`);
      else if (/^(logits|probs)$/.test(semantics) && !sameClasses(actual, wanted))
        reasons.push(`Output "${name}" names another class.`);
    }
    outputs.push({ name, maxAbs, meanAbs, tolerance });
  });
  const maxAbs = Math.max(0, ...outputs.map((output) => output.maxAbs));
  const meanAbs = Math.max(0, ...outputs.map((output) => output.meanAbs));
  const numbers = { maxAbs, meanAbs, inputs: rounds.length, outputs, runtime };
  const [reason] = reasons;
  return reason === undefined ? { passed: true, ...numbers } : { passed: false, ...numbers, reason };
}

async function openModel(folder: string, metadata: ExportMetadata, runtime: OnnxRuntime): Promise<OnnxSession> {
  if (metadata.artifact.format !== 'onnx')
    throw new Unverifiable(`The export is ${metadata.artifact.format}, not onnx.`);
  const name = metadata.artifact.files.find((file) => file.path.endsWith('.onnx'))?.path ?? 'model.onnx';
  const bytes = readInside(folder, name);
  let external: readonly string[];
  try {
    external = readOnnx(bytes).externalFiles;
  } catch (error) {
    throw new Unverifiable(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  for (const file of external) {
    const listed = metadata.artifact.files.some((entry) => entry.path === file);
    if (!listed) throw new Unverifiable(`The model wants data from "${file}", which is not a file of this export.`);
    placeInside(folder, file);
  }
  try {
    // From memory the runtime has no folder to look into: only a model that needs its own files gets a path.
    return await runtime.open(external.length === 0 ? bytes : placeInside(folder, name));
  } catch (error) {
    throw new Unverifiable(
      `The model cannot be loaded: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
    );
  }
}

/** A plain file of the export, reached without any link that leads out of it. */
function placeInside(folder: string, path: string): string {
  const root = realpathSync(folder);
  let real: string;
  try {
    real = realpathSync(join(root, path));
  } catch {
    throw new Unverifiable(`The export has no ${path}.`);
  }
  const plain = lstatSync(join(root, path)).isFile() && real.startsWith(`${root}${sep}`);
  if (!plain) throw new Unverifiable(`${path} is not a plain file inside the export.`);
  return real;
}

function readInside(folder: string, path: string): Buffer {
  return readFileSync(placeInside(folder, path));
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
