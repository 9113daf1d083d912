import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { executionName, type Outcome, type RunJobSpec } from '@trainyard/plugin-sdk';
import type { Handler, Work } from '../agent/agent.ts';
import { Unavailable, type Backend, type Handle } from '../backends/backend.ts';
import { carryOut, type ShippingRules } from '../work/carry-out.ts';
import type { DatasetStore } from '../work/dataset-store.ts';
import type { JobFileInput } from '../work/job-file.ts';
import { fillJobFolder } from '../work/job-folder.ts';
import type { PackageStore } from '../work/package-store.ts';
import { readTrainerPackage } from '../work/read-package.ts';
import { buildWorkSpec } from '../work/work-spec.ts';
import type { EnvironmentStore } from './environment-store.ts';
import { openInput, packageDownload, snapshotDownload } from './open-inputs.ts';
import { outcomeOfPreparing } from './preparing-failure.ts';
import { refuseWithoutWall } from './walled-only.ts';

/** Compares an export with what the trainer's own framework gave. `failure` is null when it agrees or cannot be judged here. */
export type VerifyExport = (
  folder: string,
  format: string,
  signal: AbortSignal,
) => Promise<{ readonly meta: Record<string, unknown>; readonly failure: Outcome | null }>;

export interface RunVerbDeps {
  readonly backend: Backend;
  readonly installation: string;
  readonly packages: PackageStore;
  readonly datasets: DatasetStore;
  readonly environments: EnvironmentStore;
  readonly verifyExport: VerifyExport;
  /** Folder of the job folders. */
  readonly jobs: string;
  readonly silenceSeconds: number;
  readonly rules?: ShippingRules;
}

/**
 * train, evaluate, predict, export. Looks first whether the execution is there already (a restart, or another agent began it): then it only goes
 * on reading. An execution that was begun and is gone is never started again under this number.
 */
export function runVerbHandler(deps: RunVerbDeps): Handler {
  return async (work) => {
    const { spec } = work.attempt;
    if (spec.kind === 'validate' || spec.kind === 'prove' || spec.kind === 'prepare')
      throw new Error(`not a verb of a run: ${spec.kind}`);
    const name = executionName(work.attempt.job, work.attempt.number);
    const jobFolder = join(deps.jobs, name);
    const found = (await deps.backend.find()).find((handle) => handle.name === name);
    work.whenOver(() => rm(jobFolder, { recursive: true, force: true }));
    if (found === undefined && work.execution !== null) return vanished();
    // A folder that nobody began is completed by `start`, which adopts it.
    let handle = found?.executionId === null && work.execution === null ? undefined : found;
    if (handle === undefined) {
      if (found !== undefined) work.whenOver(() => deps.backend.remove(found));
      const refused = await refuseWithoutWall(work, deps.backend);
      if (refused !== null) return refused;
      const started = await prepareAndStart(deps, work, spec, jobFolder);
      if ('state' in started) return started;
      handle = started;
    }
    const begun = handle;
    work.whenOver(() => deps.backend.remove(begun));
    await work.remember(begun.executionId ?? begun.name);
    await work.hub.begin(begun.executionId ?? begun.name);
    await work.hub.phase({ phase: 'running' });
    const exported = spec.export;
    return carryOut(work, {
      backend: deps.backend,
      handle: begun,
      verb: spec.kind,
      jobFolder,
      ...(deps.rules === undefined ? {} : { rules: deps.rules }),
      ...(exported === undefined
        ? {}
        : { verify: () => deps.verifyExport(join(jobFolder, 'output', 'export'), exported.format, work.signal) }),
    });
  };
}

function vanished(): Outcome {
  return {
    state: 'lost',
    code: 'platform.vanished',
    message: 'The trainer had been started but is gone: the machine was restarted, or somebody removed it.',
  };
}

/** Answers the handle, or the outcome when there is nothing to start. */
async function prepareAndStart(
  deps: RunVerbDeps,
  work: Work,
  spec: RunJobSpec,
  jobFolder: string,
): Promise<Handle | Outcome> {
  const stopping = new AbortController();
  const unheard = work.stop.listen(() => stopping.abort('stop'));
  const signal = AbortSignal.any([work.signal, stopping.signal]);
  const say = (sentence: string, progress?: number): void => {
    const report = { phase: 'preparing' as const, sentence, ...(progress === undefined ? {} : { progress }) };
    void work.hub.phase(report).catch(() => undefined);
  };
  try {
    return await start(deps, work, spec, jobFolder, say, signal);
  } catch (error) {
    if (work.signal.aborted) throw error;
    if (stopping.signal.aborted) {
      return { state: 'stopped', cause: work.stop.current?.what === 'drain' ? 'preempted' : 'cancelled' };
    }
    const outcome = outcomeOfPreparing(error);
    if (outcome === null) throw error;
    return outcome;
  } finally {
    unheard();
  }
}

async function start(
  deps: RunVerbDeps,
  work: Work,
  spec: RunJobSpec,
  jobFolder: string,
  say: (sentence: string, progress?: number) => void,
  signal: AbortSignal,
): Promise<Handle> {
  const { attempt } = work;
  say('Loading the trainer');
  const folder = await deps.packages.ensure(spec.release.packageDigest, packageDownload(work), signal);
  const trainer = await readTrainerPackage(folder, spec.release.packageDigest);
  // Data first: its signed addresses live for minutes, an environment may take longer to build.
  say('Loading data');
  const { dataset } = spec;
  await fillJobFolder(jobFolder, {
    job: {
      jobId: attempt.job,
      attempt: attempt.number,
      command: spec.kind,
      trainer: `${spec.release.name}@${spec.release.version}`,
      task: spec.task,
      model: spec.model,
      config: spec.config,
      configDigest: spec.configDigest,
      seed: spec.seed,
      dataset: dataset === null ? null : { format: dataset.format, digest: dataset.digest },
      device: spec.device,
      limits: spec.limits,
      grace: spec.grace,
      ...(spec.evaluate === undefined ? {} : { evaluate: spec.evaluate }),
      ...(spec.predict === undefined ? {} : { predict: predictOf(spec.predict) }),
      ...(spec.export === undefined ? {} : { export: spec.export }),
    },
    dataset:
      dataset === null ? null : (target) => deps.datasets.place(dataset.digest, snapshotDownload(work), target, signal),
    checkpoint: spec.checkpoint,
    weights: spec.weights ?? null,
    modelArtifact: spec.modelArtifact ?? null,
    resume: spec.kind === 'train' ? attempt.resume : null,
    images: spec.predict?.images ?? [],
    open: (sha256) => openInput(work, sha256),
  });
  signal.throwIfAborted();
  const environment = await deps.environments.ensure(
    trainer,
    ({ sentence, progress }) => say(sentence, progress),
    signal,
  );
  signal.throwIfAborted();
  say('Starting');
  return startPatiently(deps, work, spec, jobFolder, trainer, environment, say, signal);
}

function predictOf({ images: _, ...asked }: NonNullable<RunJobSpec['predict']>): NonNullable<JobFileInput['predict']> {
  return { source: 'input/images', ...asked };
}

async function startPatiently(
  deps: RunVerbDeps,
  work: Work,
  spec: RunJobSpec,
  jobFolder: string,
  trainer: Awaited<ReturnType<typeof readTrainerPackage>>,
  environment: Awaited<ReturnType<EnvironmentStore['ensure']>>,
  say: (sentence: string) => void,
  signal: AbortSignal,
): Promise<Handle> {
  for (;;) {
    try {
      return await deps.backend.start(
        buildWorkSpec({
          installation: deps.installation,
          job: work.attempt.job,
          attempt: work.attempt.number,
          verb: spec.kind,
          package: trainer,
          environment,
          jobFolder,
          device: { kind: spec.device.kind, uuids: await devicesFor(deps.backend, spec) },
          limits: spec.limits,
          grace: spec.grace,
          frozen: spec,
          silenceSeconds: deps.silenceSeconds,
        }),
      );
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      say(error.message);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
      });
      signal.throwIfAborted();
    }
  }
}

async function devicesFor(backend: Backend, spec: RunJobSpec): Promise<readonly string[]> {
  if (spec.device.kind === 'cpu') return [];
  const devices = (await backend.offers()).flatMap((offer) => offer.devices);
  const uuids = devices.filter((device) => device.kind === 'cuda').flatMap((device) => device.uuids);
  if (uuids.length < spec.device.count) throw new Unavailable('Waiting for a free graphics card');
  return uuids.slice(0, spec.device.count);
}
