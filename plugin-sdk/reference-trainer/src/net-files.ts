import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Network, type NetShape } from './network.ts';
import { InputError, readSafetensors, writeSafetensors, type StoredState, type Tensor } from './trainer_sdk/index.ts';

/** Files of a checkpoint: weights.safetensors, optimiser.safetensors, state.json (progress) and net.json (shape and class names). */

/** Where the weights come from: digests of the training job and the last validation. */
export interface NetOrigin {
  readonly datasetDigest: string | null;
  readonly configDigest: string | null;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface NetInfo {
  readonly shape: NetShape;
  readonly labels: readonly string[];
  readonly origin: NetOrigin;
}

export interface Progress {
  readonly step: number;
  /** Whole epochs done. */
  readonly epoch: number;
  /** Steps done inside the epoch that is under way. */
  readonly position: number;
  readonly updates: number;
  readonly random: readonly number[];
  /** Generator as it was before the epoch's order was drawn. */
  readonly orderRandom: readonly number[];
  readonly lossSum: number;
  readonly lossCount: number;
  readonly sinceBest: number;
  readonly seconds: number;
}

export function netFiles(
  net: Network,
  labels: readonly string[],
  origin: NetOrigin,
): Record<string, string | Uint8Array> {
  const info: NetInfo = { shape: net.shape, labels, origin };
  return { 'net.json': JSON.stringify(info), 'weights.safetensors': writeSafetensors(net.tensors()) };
}

export function loadNet(state: StoredState): { net: Network; labels: readonly string[]; origin: NetOrigin } {
  const info = parseInfo(state.file('net.json'));
  const net = new Network(info.shape, 0);
  net.load(readTensors(state.file('weights.safetensors'), state.id));
  return { net, labels: info.labels, origin: info.origin };
}

export function readTensors(bytes: Buffer, id: string): Map<string, Tensor> {
  try {
    return readSafetensors(bytes);
  } catch (cause) {
    throw damaged(id, cause);
  }
}

/** Initial weights of a run: a checkpoint folder of an earlier run, or a safetensors file. */
export function readInitialWeights(path: string): Map<string, Tensor> {
  const file = statSync(path).isDirectory() ? join(path, 'weights.safetensors') : path;
  if (!existsSync(file))
    throw new InputError('The initial weights hold no weights.safetensors.', {
      code: 'input.weights_missing',
      hint: 'Use a checkpoint of this trainer.',
    });
  return readTensors(readFileSync(file), 'initial weights');
}

function parseInfo(bytes: Buffer): NetInfo {
  const value = parseJson(bytes, 'net.json');
  const shape = field(value, 'shape');
  const labels = field(value, 'labels');
  const [model, side, hidden, classes] = ['model', 'side', 'hidden', 'classes'].map((key) => field(shape, key));
  const whole =
    typeof model === 'string' && typeof side === 'number' && typeof hidden === 'number' && typeof classes === 'number';
  if (!whole || !Array.isArray(labels)) throw damaged('net.json', undefined);
  return {
    shape: { model, side, hidden, classes },
    labels: labels.map(String),
    origin: parseOrigin(field(value, 'origin')),
  };
}

function parseOrigin(value: unknown): NetOrigin {
  const [dataset, config, metrics] = ['datasetDigest', 'configDigest', 'metrics'].map((key) => field(value, key));
  const numbers =
    metrics !== null && typeof metrics === 'object'
      ? Object.entries(metrics).filter(([, item]) => typeof item === 'number')
      : [];
  return {
    datasetDigest: typeof dataset === 'string' ? dataset : null,
    configDigest: typeof config === 'string' ? config : null,
    metrics: Object.fromEntries(numbers),
  };
}

export function parseProgress(bytes: Buffer): Progress {
  const value = parseJson(bytes, 'state.json');
  const number = (key: string): number => {
    const found = field(value, key);
    if (typeof found !== 'number') throw damaged('state.json', undefined);
    return found;
  };
  const numbers = (key: string): number[] => {
    const found = field(value, key);
    if (!Array.isArray(found)) throw damaged('state.json', undefined);
    return found.map(Number);
  };
  return {
    ...{ step: number('step'), epoch: number('epoch'), position: number('position'), updates: number('updates') },
    ...{ random: numbers('random'), orderRandom: numbers('orderRandom') },
    ...{
      lossSum: number('lossSum'),
      lossCount: number('lossCount'),
      sinceBest: number('sinceBest'),
      seconds: number('seconds'),
    },
  };
}

function parseJson(bytes: Buffer, name: string): unknown {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return value;
  } catch (cause) {
    throw damaged(name, cause);
  }
}

function field(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' ? Reflect.get(value, key) : undefined;
}

function damaged(what: string, cause: unknown): InputError {
  return new InputError(`The checkpoint cannot be read: ${what} is damaged.`, {
    code: 'input.checkpoint_incompatible',
    hint: 'Fetch the checkpoint again or use an earlier one.',
    cause,
  });
}
