import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, newId, sha256, type Verb } from '@trainyard/plugin-sdk';
import type { JsonObject } from '@trainyard/plugin-sdk/config';
import type { Backend } from '@trainyard/runner/backends';
import { runVerb, type LocalJob } from '@trainyard/runner/work';
import { slowness } from './calibrate.ts';
import type { WrittenDataset } from '../data/test-data.ts';
import { NetworkWatch } from './observe-network.ts';
import { SmallDisk } from './small-disk.ts';
import { readEventFile } from './event-file.ts';
import type { Subject } from './subject.ts';
import type { StopWish } from './stop-wish.ts';
import { TRIAL_LIMITS, type TrialDeps, type TrialLimits } from './trial-deps.ts';
import { MemoryWatch, Stop } from './watch-trial.ts';
import type { Trial } from './trials.ts';

/** The limits for this machine as it is now: a busy one gets more time. */
export function limitsHere(grace = TRIAL_LIMITS.grace): TrialLimits {
  const factor = slowness();
  const { describe, validate, train, evaluate, signOfTraining } = TRIAL_LIMITS;
  const times = { describe, validate, train, evaluate, signOfTraining };
  const scaled = Object.fromEntries(
    Object.entries(times).map(([name, seconds]) => [name, Math.ceil(seconds * factor)]),
  );
  return { ...TRIAL_LIMITS, ...scaled, grace };
}

export interface TrialPlan {
  readonly name: string;
  readonly verb: Verb;
  readonly settings?: JsonObject;
  readonly dataset?: WrittenDataset;
  readonly task?: string;
  readonly model?: string;
  readonly checkpoint?: { readonly path: string; readonly sha256: string };
  readonly export?: LocalJob['export'];
  /** Folder of pictures for predict. */
  readonly pictures?: string;
  /** Scores below are left out of predict; the trainer's own when absent. */
  readonly threshold?: number;
  /** Job folder of an earlier trial to go on in. */
  readonly resumeIn?: { readonly jobFolder: string; readonly checkpoint: string; readonly step: number };
  /** Puts more into the job folder before the trainer starts. */
  readonly prepare?: (jobFolder: string) => Promise<void>;
  /** Fields of job.json that say something else. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Seconds instead of those of the verb. */
  readonly maxSeconds?: number;
  /** When to send SIGTERM, or to kill it without a word. */
  readonly stop?: StopWish;
  /** In a network where every attempt shows. */
  readonly observed?: boolean;
  /** Bytes of a file system of its own for checkpoints/. */
  readonly smallDisk?: number;
}

/** A step was done: from here a checkpoint can be saved. */
export const WHEN_TRAINING: StopWish = {
  how: 'stop',
  at: (event) => !('other' in event) && (event.type === 'metric' || event.type === 'checkpoint'),
};

const MOST_STDOUT = 4 * 1024 * 1024;
const MiB = 1024 * 1024;

/** One run of the trainer under limits, to its end. Leaves the job folder and nothing else. Throws when the signal fired or the backend refuses. */
export async function runTrial(deps: TrialDeps, subject: Subject, plan: TrialPlan): Promise<Trial> {
  deps.signal.throwIfAborted();
  const { verb } = plan;
  const maxSeconds = plan.maxSeconds ?? secondsFor(deps.limits, verb);
  const jobFolder = plan.resumeIn?.jobFolder ?? join(deps.root, `trial-${plan.name}-${newId().slice(-6)}`);
  await makeFolder(jobFolder, plan);
  const disk = plan.smallDisk === undefined ? null : await SmallDisk.mount(jobFolder, plan.smallDisk);
  const network = plan.observed === true ? new NetworkWatch(jobFolder) : null;
  const walled = network !== null && (await isWalled(deps.backend));
  const { entrypoint } = subject.manifest;
  const first = (await network?.entrypoint(entrypoint, walled, subject.environment?.python ?? null)) ?? entrypoint;
  const stop = new Stop(deps, plan.stop, jobFolder);
  const memory = new MemoryWatch();
  const out: Buffer[] = [];
  let outBytes = 0;
  const begun = performance.now();
  try {
    const result = await runVerb({
      backend: deps.backend,
      installation: deps.installation,
      package: { folder: subject.folder, manifest: { ...subject.manifest, entrypoint: first } },
      environment: subject.environment,
      verb,
      job: jobOf(subject, plan),
      root: deps.root,
      jobFolder,
      signal: stop.signal,
      onEvent: (event) => stop.hears(event),
      onStart(execution) {
        stop.started(execution);
        memory.started(execution);
        network?.started(execution);
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
      stop: { asked: stop.asked, sawTraining: stop.cameTrue, seconds: stop.secondsSince() },
      observed: (await network?.end()) ?? null,
      noDisk: disk?.problem ?? null,
      peakBytes: memory.peak,
    };
  } finally {
    memory.end();
    stop.end();
    await network?.end();
    await disk?.unmount();
  }
}

function secondsFor(limits: TrialLimits, verb: Verb): number {
  if (verb === 'describe' || verb === 'validate' || verb === 'train') return limits[verb];
  return limits.evaluate;
}

async function makeFolder(jobFolder: string, plan: TrialPlan): Promise<void> {
  await mkdir(jobFolder, { recursive: true });
  if (plan.resumeIn === undefined && plan.dataset !== undefined)
    await cp(plan.dataset.folder, join(jobFolder, 'dataset'), { recursive: true });
  await plan.prepare?.(jobFolder);
}

/** The user namespace of a wall has a network of its own already. */
async function isWalled(backend: Backend): Promise<boolean> {
  return (await backend.offers()).some((offer) => offer.wall !== 'none');
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
    ...(plan.export === undefined ? {} : { export: plan.export }),
    ...(plan.pictures === undefined
      ? {}
      : {
          predict: {
            folder: plan.pictures,
            ...(plan.threshold === undefined ? {} : { threshold: plan.threshold }),
          },
        }),
    ...(plan.overrides === undefined ? {} : { overrides: plan.overrides }),
  };
}
