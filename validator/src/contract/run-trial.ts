import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, newId, sha256, type AnyEvent, type Verb } from '@trainyard/plugin-sdk';
import type { JsonObject } from '@trainyard/plugin-sdk/config';
import type { Backend } from '@trainyard/runner/backends';
import { runVerb, type LocalJob } from '@trainyard/runner/work';
import { readEventFile } from './event-file.ts';
import type { Subject } from './subject.ts';
import type { WrittenDataset } from './tiny-dataset.ts';
import type { Trial } from './trials.ts';

/** Seconds that a trial may take before it counts as one that never ends. */
export interface TrialLimits {
  readonly describe: number;
  readonly validate: number;
  readonly train: number;
  readonly evaluate: number;
  /** Wait for the first sign of training before the stop is sent all the same. */
  readonly signOfTraining: number;
  readonly grace: number;
  /** Output, checkpoints, temporary files and log of one trial together. */
  readonly diskBytes: number;
}

/** Describe has 10 s by contract, three times that on a busy machine. */
export const TRIAL_LIMITS: TrialLimits = {
  describe: 30,
  validate: 90,
  train: 180,
  evaluate: 120,
  signOfTraining: 60,
  grace: 30,
  diskBytes: 512 * 1024 * 1024,
};

export interface TrialPlan {
  readonly name: string;
  readonly verb: Verb;
  readonly settings?: JsonObject;
  readonly dataset?: WrittenDataset;
  readonly task?: string;
  readonly model?: string;
  readonly checkpoint?: { readonly path: string; readonly sha256: string };
  /** Job folder of an earlier trial to go on in. */
  readonly resumeIn?: { readonly jobFolder: string; readonly checkpoint: string; readonly step: number };
  /** Send SIGTERM as soon as it has shown a sign of training. */
  readonly stopWhenTraining?: boolean;
}

export interface TrialDeps {
  readonly backend: Backend;
  readonly installation: string;
  readonly root: string;
  readonly limits: TrialLimits;
  readonly signal: AbortSignal;
}

const MOST_STDOUT = 4 * 1024 * 1024;
const MiB = 1024 * 1024;

/** One run of the trainer under limits, to its end. Leaves the job folder and nothing else. Throws when the signal fired or the backend refuses. */
export async function runTrial(deps: TrialDeps, subject: Subject, plan: TrialPlan): Promise<Trial> {
  deps.signal.throwIfAborted();
  const { verb } = plan;
  const maxSeconds = secondsFor(deps.limits, verb);
  const stop = new AbortController();
  const unlisten = follow(deps.signal, stop);
  let sawTraining = false;
  const patience =
    plan.stopWhenTraining === true
      ? setTimeout(() => stop.abort('stop'), deps.limits.signOfTraining * 1000)
      : undefined;
  const out: Buffer[] = [];
  let outBytes = 0;
  const jobFolder = plan.resumeIn?.jobFolder ?? join(deps.root, `trial-${plan.name}-${newId().slice(-6)}`);
  if (plan.resumeIn !== undefined) await clearOutput(jobFolder);
  const begun = performance.now();
  try {
    const result = await runVerb({
      backend: deps.backend,
      installation: deps.installation,
      package: { folder: subject.folder, manifest: subject.manifest },
      environment: subject.environment,
      verb,
      job: jobOf(subject, plan),
      root: deps.root,
      ...(plan.resumeIn === undefined ? {} : { jobFolder }),
      signal: stop.signal,
      onEvent(event) {
        if (plan.stopWhenTraining !== true || !showsTraining(event)) return;
        sawTraining = true;
        stop.abort('stop');
      },
      onOutput(stream, bytes) {
        if (stream !== 'stdout' || outBytes > MOST_STDOUT) return;
        outBytes += bytes.length;
        out.push(Buffer.from(bytes));
      },
      limits: { cpus: 1, memoryBytes: 8192 * MiB, shmBytes: 256 * MiB, maxSeconds },
      grace: deps.limits.grace,
      diskBytes: deps.limits.diskBytes,
    });
    deps.signal.throwIfAborted();
    const events = await readEventFile(result.jobFolder);
    return {
      name: plan.name,
      verb,
      seconds: (performance.now() - begun) / 1000,
      maxSeconds,
      maxDiskBytes: deps.limits.diskBytes,
      exit: result.exit,
      events: events.events,
      eventsProblem: events.problem,
      stdout: Buffer.concat(out).toString('utf8'),
      stderrTail: result.stderrTail,
      jobFolder: result.jobFolder,
      stop: { asked: stop.signal.aborted, sawTraining },
    };
  } finally {
    clearTimeout(patience);
    unlisten();
  }
}

function follow(signal: AbortSignal, stop: AbortController): () => void {
  const listener = (): void => stop.abort('validation-ends');
  signal.addEventListener('abort', listener);
  return () => signal.removeEventListener('abort', listener);
}

/** A step was done: from here a checkpoint can be saved. */
function showsTraining(event: AnyEvent): boolean {
  if ('other' in event) return false;
  return event.type === 'metric' || event.type === 'checkpoint';
}

function secondsFor(limits: TrialLimits, verb: Verb): number {
  if (verb === 'describe' || verb === 'validate' || verb === 'train') return limits[verb];
  return limits.evaluate;
}

async function clearOutput(jobFolder: string): Promise<void> {
  await rm(join(jobFolder, 'output'), { recursive: true, force: true });
  await mkdir(join(jobFolder, 'output'));
}

function jobOf(subject: Subject, plan: TrialPlan): LocalJob {
  const settings = plan.settings ?? subject.quick;
  const { dataset, resumeIn } = plan;
  return {
    task: plan.task ?? subject.task.id,
    model: plan.model ?? subject.model,
    config: settings,
    configDigest: sha256(canonicalJson(settings)),
    seed: typeof settings['seed'] === 'number' ? settings['seed'] : 42,
    dataset: dataset === undefined ? null : { folder: dataset.folder, format: dataset.format, digest: dataset.digest },
    device: { kind: 'cpu', count: 1 },
    ...(resumeIn === undefined ? {} : { attempt: 2, resume: { checkpoint: resumeIn.checkpoint, step: resumeIn.step } }),
    ...(plan.checkpoint === undefined ? {} : { checkpoint: plan.checkpoint }),
    ...(plan.verb === 'evaluate' ? { evaluate: { split: 'val' } } : {}),
  };
}
