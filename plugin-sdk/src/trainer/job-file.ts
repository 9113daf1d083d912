import { readFileSync } from 'node:fs';
import { isAbsolute, join, normalize, sep } from 'node:path';
import { UsageError } from './errors.ts';
import { isObject, numberAt, objectAt, textAt, textsAt, type JsonObject } from './json-value.ts';

export const CONTRACT = '1.0';
export const COMMANDS = ['describe', 'validate', 'train', 'evaluate', 'predict', 'export'] as const;
export type Command = (typeof COMMANDS)[number];

/** job.json, parsed once. Every path is still relative to the job folder; `fileIn` makes it absolute. */
export interface Job {
  readonly folder: string;
  readonly command: Command;
  readonly task: string;
  readonly model: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly trainer: string;
  readonly config: JsonObject | null;
  readonly configDigest: string | null;
  readonly seed: number;
  readonly weights: { readonly id: string; readonly path: string | null; readonly sha256: string | null } | null;
  readonly dataset: { readonly path: string; readonly format: string; readonly digest: string | null } | null;
  readonly device: { readonly kind: string; readonly count: number };
  readonly checkpoint: { readonly path: string; readonly sha256: string | null } | null;
  readonly modelArtifact: { readonly path: string; readonly format: string } | null;
  readonly resume: { readonly checkpoint: string; readonly step: number } | null;
  readonly split: string;
  readonly predict: { readonly source: string; readonly topK: number };
  readonly export: {
    readonly format: string;
    readonly precision: string;
    readonly dynamic: readonly string[];
    readonly options: JsonObject;
  };
  readonly maxSeconds: number | null;
  readonly grace: number;
}

export function isCommand(text: string): text is Command {
  return COMMANDS.some((command) => command === text);
}

/** `<command> --job DIR`; the folder defaults to /job. */
export function parseArguments(argv: readonly string[]): { command: Command; folder: string } {
  const [verb = '', ...rest] = argv;
  if (!isCommand(verb)) {
    throw new UsageError(`"${verb}" is not a command.`, {
      hint: `Use one of: ${COMMANDS.join(', ')}, then --job DIR.`,
    });
  }
  if (rest.length === 0) return { command: verb, folder: '/job' };
  const [flag, folder, ...more] = rest;
  if (flag !== '--job' || folder === undefined || more.length > 0) {
    throw new UsageError(`Cannot read the arguments "${rest.join(' ')}".`, { hint: `Write: ${verb} --job DIR` });
  }
  return { command: verb, folder };
}

export function readJobText(folder: string): JsonObject {
  let text: string;
  try {
    text = readFileSync(join(folder, 'job.json'), 'utf8');
  } catch (cause) {
    throw new UsageError('job.json cannot be read.', { hint: 'The job folder must hold job.json.', cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw new UsageError('job.json is not JSON.', { hint: 'Write one JSON object into job.json.', cause });
  }
  throw new UsageError('job.json is not an object.', { hint: 'Write one JSON object into job.json.' });
}

export function parseJob(folder: string, command: Command, value: JsonObject): Job {
  const contract = textAt(value, 'contract') ?? '';
  if (contract.split('.')[0] !== CONTRACT.split('.')[0]) {
    throw new UsageError(`job.json speaks contract "${contract}", this trainer speaks ${CONTRACT}.`, {
      code: 'usage.contract',
      hint: `Send a job of contract ${CONTRACT}.`,
    });
  }
  if (textAt(value, 'command') !== command) {
    throw new UsageError(`job.json is for "${textAt(value, 'command') ?? ''}", but "${command}" was called.`, {
      hint: `Set "command" to "${command}".`,
    });
  }
  const device = objectAt(value, 'device');
  const predict = objectAt(value, 'predict');
  const wanted = objectAt(value, 'export');
  return {
    folder,
    command,
    task: textAt(value, 'task') ?? '',
    model: textAt(value, 'model') ?? '',
    jobId: textAt(value, 'jobId') ?? '',
    attempt: numberAt(value, 'attempt') ?? 1,
    trainer: textAt(value, 'trainer') ?? '',
    config: objectAt(value, 'config'),
    configDigest: textAt(value, 'configDigest'),
    seed: numberAt(value, 'seed') ?? 0,
    weights: weightsOf(objectAt(value, 'weights')),
    dataset: datasetOf(objectAt(value, 'dataset')),
    device: { kind: textAt(device, 'kind') ?? 'cpu', count: numberAt(device, 'count') ?? 1 },
    checkpoint: checkpointOf(objectAt(value, 'checkpoint')),
    modelArtifact: artifactOf(objectAt(value, 'modelArtifact')),
    resume: resumeOf(objectAt(value, 'resume')),
    split: textAt(objectAt(value, 'evaluate'), 'split') ?? 'val',
    predict: { source: textAt(predict, 'source') ?? 'input/images', topK: numberAt(predict, 'topK') ?? 5 },
    export: {
      format: textAt(wanted, 'format') ?? '',
      precision: textAt(wanted, 'precision') ?? 'fp32',
      dynamic: textsAt(wanted, 'dynamic'),
      options: objectAt(wanted, 'options') ?? {},
    },
    maxSeconds: numberAt(objectAt(value, 'limits'), 'maxSeconds'),
    grace: numberAt(value, 'grace') ?? 30,
  };
}

function weightsOf(value: JsonObject | null): Job['weights'] {
  if (value === null) return null;
  return { id: textAt(value, 'id') ?? '', path: textAt(value, 'path'), sha256: textAt(value, 'sha256') };
}

function datasetOf(value: JsonObject | null): Job['dataset'] {
  if (value === null) return null;
  return {
    path: textAt(value, 'path') ?? 'dataset',
    format: textAt(value, 'format') ?? '',
    digest: textAt(value, 'digest'),
  };
}

function checkpointOf(value: JsonObject | null): Job['checkpoint'] {
  return value === null ? null : { path: textAt(value, 'path') ?? '', sha256: textAt(value, 'sha256') };
}

function artifactOf(value: JsonObject | null): Job['modelArtifact'] {
  return value === null ? null : { path: textAt(value, 'path') ?? '', format: textAt(value, 'format') ?? '' };
}

function resumeOf(value: JsonObject | null): Job['resume'] {
  return value === null ? null : { checkpoint: textAt(value, 'checkpoint') ?? '', step: numberAt(value, 'step') ?? 0 };
}

/** Absolute path of something the job names; refuses what would leave the folder. */
export function fileIn(folder: string, path: string): string {
  const plain = normalize(path);
  if (path === '' || isAbsolute(path) || plain === '..' || plain.startsWith(`..${sep}`)) {
    throw new UsageError(`The path "${path}" does not stay inside its folder.`, {
      hint: 'Paths are relative, without "..".',
    });
  }
  return join(folder, plain);
}
