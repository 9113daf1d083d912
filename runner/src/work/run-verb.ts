import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId, type AnyEvent, type Limits, type Outcome, type Verb } from '@trainyard/plugin-sdk';
import type { StopAsked } from '@trainyard/plugin-sdk/api';
import type { Backend, Exit } from '../backends/backend.ts';
import { buildJobFile, type JobFileInput } from './job-file.ts';
import { writeJson } from './job-folder.ts';
import { observeExecution } from './observe-execution.ts';
import { decideOutcome } from './outcome.ts';
import { buildWorkSpec, type BuiltEnvironment, type StartableManifest } from './work-spec.ts';

/** A job as its caller knows it: folders of this machine instead of digests. */
export interface LocalJob {
  readonly task: string;
  readonly model: string;
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly configDigest: string | null;
  readonly seed: number;
  readonly dataset: { readonly folder: string; readonly format: string; readonly digest: string } | null;
  readonly device: { readonly kind: 'cpu' | 'cuda'; readonly count: number };
  readonly attempt?: number;
  readonly resume?: JobFileInput['resume'];
  /** File or folder of a checkpoint; copied to `input/checkpoint/`. */
  readonly checkpoint?: { readonly path: string; readonly sha256: string };
  readonly evaluate?: JobFileInput['evaluate'];
  /** Folder of pictures; copied to `input/images/`. */
  readonly predict?: { readonly folder: string; readonly topK?: number; readonly threshold?: number };
  readonly export?: JobFileInput['export'];
  /** Fields of job.json to say otherwise, for trials of what a trainer makes of a strange job; backend and folders do not hear of it. */
  readonly overrides?: Readonly<Record<string, unknown>>;
}

export interface RunVerbOptions {
  readonly backend: Backend;
  readonly installation: string;
  readonly package: {
    readonly folder: string;
    readonly manifest: StartableManifest & { readonly name: string; readonly version: string };
  };
  readonly environment: BuiltEnvironment;
  readonly verb: Verb;
  readonly job: LocalJob;
  /** Folder under which the job folder is made. */
  readonly root: string;
  /** Job folder of an earlier attempt, to go on in (resume): checkpoints and dataset stay, `output/` is emptied. */
  readonly jobFolder?: string;
  /** Fired: the trainer is asked to stop, and the verb ends with what it makes of that. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: AnyEvent, line: string) => void;
  readonly onOutput?: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
  /** Execution id, as soon as the trainer runs. */
  readonly onStart?: (execution: string | null) => void;
  readonly limits: Limits;
  readonly grace: number;
  readonly silenceSeconds?: number;
  readonly diskBytes?: number;
  /** How a fired signal is meant; `cancel` when absent. */
  readonly stopAs?: StopAsked['what'];
}

export interface RunVerbResult {
  readonly exit: Exit;
  readonly outcome: Outcome;
  readonly events: readonly AnyEvent[];
  /** What was wrong with the event file, in sentences. */
  readonly notes: readonly string[];
  /** Left for the caller to read and remove. */
  readonly jobFolder: string;
  readonly stdoutTail: string;
  readonly stderrTail: string;
}

const MOST_EVENTS = 100_000;

/**
 * One verb of a package, without a hub: for `trainyard dev` and the validator. Nothing of the execution is left when it answers but the job
 * folder. May run several times side by side. Throws `Refused` or `Unavailable` of the backend.
 */
export async function runVerb(options: RunVerbOptions): Promise<RunVerbResult> {
  const { backend, verb, job, limits, grace } = options;
  const id = newId();
  const attempt = job.attempt ?? 1;
  const jobFolder = options.jobFolder ?? join(options.root, `job-${id}`);
  await makeJobFolder(jobFolder, options, id, attempt);
  const uuids = job.device.kind === 'cpu' ? [] : await freeDevices(backend, job.device.count);
  const { installation, environment } = options;
  const spec = buildWorkSpec({
    installation,
    job: id,
    attempt,
    verb,
    package: options.package,
    environment,
    jobFolder,
    device: { kind: job.device.kind, uuids },
    limits,
    grace,
    frozen: { id, verb, job },
    ...(options.silenceSeconds === undefined ? {} : { silenceSeconds: options.silenceSeconds }),
    ...(options.diskBytes === undefined ? {} : { diskBytes: options.diskBytes }),
  });
  const handle = await backend.start(spec);
  options.onStart?.(handle.executionId);
  const stop = (): void => void backend.stop(handle, grace);
  options.signal.addEventListener('abort', stop);
  if (options.signal.aborted) stop();
  const events: AnyEvent[] = [];
  try {
    const observed = await observeExecution(
      backend,
      handle,
      {
        event({ event, line }) {
          if (events.length < MOST_EVENTS) events.push(event);
          options.onEvent?.(event, line);
        },
        output: (stream, _position, bytes) => options.onOutput?.(stream, bytes),
      },
      { next: 1, signal: new AbortController().signal },
    );
    const { exit, terminal, terminals, notes, stdoutTail, stderrTail } = observed;
    const asked = options.signal.aborted ? (options.stopAs ?? 'cancel') : null;
    const outcome =
      verb === 'describe' || verb === 'validate'
        ? outcomeOfDocument(exit, stderrTail)
        : decideOutcome({ asked, exit, terminal, terminals, lastLines: stderrTail });
    return { exit, outcome, events, notes, jobFolder, stdoutTail, stderrTail };
  } finally {
    options.signal.removeEventListener('abort', stop);
    await backend.remove(handle);
  }
}

/** `describe` and `validate` print a document; they have no terminal event. */
function outcomeOfDocument(exit: Exit, lastLines: string): Outcome {
  if (exit.kind === 'exited' && exit.code === 0 && exit.evidence.startFailed === undefined) {
    return { state: 'succeeded', exit: 0 };
  }
  return decideOutcome({ asked: null, exit, terminal: null, terminals: 0, lastLines });
}

async function freeDevices(backend: Backend, count: number): Promise<readonly string[]> {
  const offers = await backend.offers();
  const devices = offers.flatMap((offer) => offer.devices).filter((device) => device.kind === 'cuda');
  return devices.flatMap((device) => device.uuids).slice(0, count);
}

async function makeJobFolder(folder: string, options: RunVerbOptions, id: string, attempt: number): Promise<void> {
  const { job, verb, limits, grace } = options;
  const { name, version } = options.package.manifest;
  await rm(join(folder, 'output'), { recursive: true, force: true });
  for (const part of ['input', 'checkpoints', 'output']) await mkdir(join(folder, part), { recursive: true });
  if (job.dataset !== null && options.jobFolder === undefined) {
    await cp(job.dataset.folder, join(folder, 'dataset'), { recursive: true, dereference: true });
  }
  let checkpoint: JobFileInput['checkpoint'] = null;
  if (job.checkpoint !== undefined) {
    const path = `input/checkpoint/${job.checkpoint.path.split('/').at(-1) ?? 'checkpoint'}`;
    await cp(job.checkpoint.path, join(folder, path), { recursive: true });
    checkpoint = { path, sha256: job.checkpoint.sha256 };
  }
  if (job.predict !== undefined) await cp(job.predict.folder, join(folder, 'input', 'images'), { recursive: true });
  await writeJson(join(folder, 'job.json'), {
    ...buildJobFile({
      jobId: id,
      attempt,
      command: verb,
      trainer: `${name}@${version}`,
      task: job.task,
      model: job.model,
      config: job.config,
      configDigest: job.configDigest,
      seed: job.seed,
      dataset: job.dataset === null ? null : { format: job.dataset.format, digest: job.dataset.digest },
      device: job.device,
      limits,
      grace,
      resume: job.resume ?? null,
      checkpoint,
      ...(job.evaluate === undefined ? {} : { evaluate: job.evaluate }),
      ...(job.predict === undefined
        ? {}
        : {
            predict: {
              source: 'input/images',
              ...(job.predict.topK === undefined ? {} : { topK: job.predict.topK }),
              ...(job.predict.threshold === undefined ? {} : { threshold: job.predict.threshold }),
            },
          }),
      ...(job.export === undefined ? {} : { export: job.export }),
    }),
    ...job.overrides,
  });
}
