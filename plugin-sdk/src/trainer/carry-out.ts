import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CheckpointStore } from './checkpoint-store.ts';
import { checkConfig, withDefaults } from './config-check.ts';
import { checkDataset, type DatasetProblem } from './dataset-check.ts';
import { readDataset, type Dataset } from './dataset-folder.ts';
import { EffectiveConfig } from './effective-config.ts';
import { DatasetError, StopRequest, TrainerError, Unsupported } from './errors.ts';
import type { EventWriter } from './event-writer.ts';
import { decidingMetric, exportOptions, requireConfig, requireSupported } from './job-checks.ts';
import { InitialWeights } from './initial-weights.ts';
import { fileIn, type Job } from './job-file.ts';
import { Run } from './run.ts';
import type { RunParts } from './run-parts.ts';
import type { StopWatch } from './stop-watch.ts';
import type { TrainerPackage } from './trainer-package.ts';
import { UsageMeter } from './usage-meter.ts';

export type FinalMetrics = Readonly<Record<string, number>>;

export interface TrainerDefinition {
  /** trainer.yaml of the package: `new URL('../trainer.yaml', import.meta.url)`. */
  readonly manifest: URL;
  /** Trains, writes checkpoints, evaluates the best one; returns its metrics. */
  train(run: Run): Promise<FinalMetrics>;
  evaluate?(run: Run): Promise<FinalMetrics>;
  predict?(run: Run): Promise<FinalMetrics | void>;
  /** One function per export format; writes below `folder`. */
  readonly exports?: Readonly<Record<string, (run: Run, folder: string) => Promise<FinalMetrics | void>>>;
  /** Adds problems to those the SDK finds, and says with `run.effective` what config keys would become. */
  validate?(run: Run): Promise<readonly DatasetProblem[] | void>;
  /** Concrete models of an open family; the manifest's list otherwise. */
  describeModels?(): readonly unknown[];
  /** Library versions by name, the framework's among them. */
  readonly versions?: Readonly<Record<string, string>>;
}

/** One job from its checks to its terminal event. Returns the exit code; throws what shall end as `failed`. */
export async function carryOut(
  definition: TrainerDefinition,
  trainer: TrainerPackage,
  job: Job,
  writer: EventWriter,
  watch: StopWatch,
): Promise<number> {
  const begun = performance.now();
  const usage = new UsageMeter(writer);
  if (job.maxSeconds !== null) watch.limitTo(job.maxSeconds);
  const config = withDefaults(trainer.schema, job.config ?? {}, job.task);
  const effective = new EffectiveConfig(config, withDefaults(trainer.schema, {}, job.task));
  const decides = decidingMetric(trainer, job, config);
  const weights = new InitialWeights(job, writer);
  const common = { job, trainer, config, writer, watch, usage, effective, decides, weights };
  let run: Run | null = null;
  try {
    requireSupported(trainer, job);
    if (job.command === 'validate') {
      await validateJob(definition, common);
      writer.end('finished', { metrics: {}, seconds: secondsSince(begun) });
      return 0;
    }
    requireConfig(trainer, job);
    const options = job.command === 'export' ? exportOptions(trainer, job) : {};
    const dataset = job.dataset === null ? null : loadDataset(trainer, job);
    run = new Run({ ...common, options, dataset, store: job.command === 'train' ? openStore(job) : null });
    const metrics = (await callVerb(definition, run, common.weights)) ?? {};
    const best = job.command === 'train' ? { best: bestOf(run) } : {};
    if (job.command === 'train') writeEffective(run, effective);
    writer.end('finished', { metrics, ...best, seconds: secondsSince(begun) });
    return 0;
  } catch (error) {
    if (run !== null && job.command === 'train') writeEffective(run, effective);
    if (!(error instanceof StopRequest)) throw error;
    writer.end('stopped', { reason: error.reason, checkpoint: run?.saveForStop() ?? null });
    return 75;
  } finally {
    usage.close();
  }
}

function secondsSince(begun: number): number {
  return Math.round(performance.now() - begun) / 1000;
}

async function callVerb(
  definition: TrainerDefinition,
  run: Run,
  weights: InitialWeights,
): Promise<FinalMetrics | void> {
  const { command } = run.job;
  if (command === 'train') {
    // Also where the trainer never asks for them: weights that are not the announced ones are refused before anything is trained.
    weights.check();
    requirePictures(run);
    const metrics = await definition.train(run);
    weights.warnUnused();
    return metrics;
  }
  if (command === 'evaluate' && definition.evaluate !== undefined) return definition.evaluate(run);
  if (command === 'predict' && definition.predict !== undefined) return definition.predict(run);
  const exporter = command === 'export' ? definition.exports?.[run.job.export.format] : undefined;
  if (exporter === undefined)
    throw new Unsupported(`This trainer cannot ${command}.`, { hint: 'See capabilities.commands in trainer.yaml.' });
  const folder = join(run.outputFolder, 'export');
  mkdirSync(folder, { recursive: true });
  return run.phase('export', () => exporter(run, folder));
}

function loadDataset(trainer: TrainerPackage, job: Job): Dataset | null {
  if (job.dataset === null) return null;
  const formats = trainer.tasks.get(job.task)?.datasets ?? [];
  if (!formats.includes(job.dataset.format)) {
    throw new DatasetError(`The dataset format "${job.dataset.format}" is not one this trainer reads.`, {
      hint: `It reads ${formats.join(', ')}.`,
    });
  }
  return readDataset(fileIn(job.folder, job.dataset.path));
}

function openStore(job: Job): CheckpointStore {
  return new CheckpointStore(
    join(job.folder, 'checkpoints'),
    job.resume === null ? null : basename(job.resume.checkpoint),
  );
}

/** Train needs pictures in train and val; what is merely odd becomes a warning. */
function requirePictures(run: Run): void {
  for (const split of ['train', 'val'] as const) {
    const samples = run.samples(split);
    const strange = samples.find((sample) => sample.label < 0);
    if (strange !== undefined) {
      throw new DatasetError(`The folder of ${strange.path} belongs to no class of dataset.json.`, {
        code: 'dataset.class_mismatch',
        hint: `Move ${strange.path} or add its folder to "classes".`,
      });
    }
    const present = new Set(samples.map((sample) => sample.label));
    const absent = run.classes.filter((item) => !present.has(item.index)).map((item) => item.name);
    if (absent.length === 0) continue;
    run.warn(
      `class_missing_in_${split}`,
      `No picture in ${split} for: ${absent.join(', ').slice(0, 2000)}.`,
      `Add pictures to ${split}.`,
    );
  }
}

function bestOf(run: Run): unknown {
  const { best } = run;
  if (best?.metric === undefined) return null;
  return { step: best.step, checkpoint: best.id, metric: best.metric };
}

function writeEffective(run: Run, effective: EffectiveConfig): void {
  for (const key of effective.silent) {
    effective.set(key, run.config[key], {
      source: 'ignored',
      note: 'The trainer did not get as far as using this key.',
    });
  }
  writeFileSync(join(run.outputFolder, 'config.effective.json'), `${JSON.stringify(effective.document(), null, 1)}\n`);
}

/** Finds all problems, writes and prints them, and throws the first error. */
async function validateJob(
  definition: TrainerDefinition,
  common: Omit<RunParts, 'options' | 'dataset' | 'store'>,
): Promise<void> {
  const { job, trainer, writer, watch, usage, effective, config } = common;
  const wrongConfig = checkConfig(trainer.schema, job.config ?? {}, job.task);
  const problems: (DatasetProblem & { pointer?: string })[] = wrongConfig.map(({ code, key, message, hint }) => ({
    ...{ code, severity: 'error' as const, message, hint, pointer: `/config/${key}` },
  }));
  writer.emit('phase', { name: 'prepare', state: 'begin' });
  const pause = async (): Promise<void> => {
    usage.tick();
    await watch.safePoint();
  };
  let dataset: Dataset | null = null;
  let fatal: TrainerError | null = null;
  try {
    if (job.dataset === null)
      throw new DatasetError('The job names no dataset.', {
        code: 'dataset.missing',
        hint: 'Set "dataset" in job.json.',
      });
    dataset = loadDataset(trainer, job);
    if (dataset !== null) problems.push(...(await checkDataset(dataset, pause)));
  } catch (error) {
    if (!(error instanceof TrainerError)) throw error;
    fatal = error;
    problems.push({
      code: error.code,
      severity: 'error',
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
  if (wrongConfig.length === 0) {
    const run = new Run({ ...common, options: {}, dataset, store: null });
    problems.push(...((await definition.validate?.(run)) ?? []));
    for (const key of effective.silent) effective.set(key, config[key]);
    writeFileSync(
      join(run.outputFolder, 'config.effective.json'),
      `${JSON.stringify(effective.document(), null, 1)}\n`,
    );
  }
  for (const { severity, code, message, hint } of problems) {
    if (severity === 'warning') writer.emit('warning', { code, message, ...(hint === undefined ? {} : { hint }) });
  }
  const text = JSON.stringify({ problems: problems.slice(0, 200) });
  writeFileSync(join(job.folder, 'output', 'validation.json'), `${text}\n`);
  await new Promise<void>((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
  writer.emit('phase', { name: 'prepare', state: 'end' });
  if (fatal !== null && wrongConfig.length === 0) throw fatal;
  requireConfig(trainer, job);
  const first = problems.find((problem) => problem.severity === 'error');
  if (first === undefined) return;
  throw new DatasetError(first.message, {
    code: KNOWN_CODES.includes(first.code) ? first.code : 'dataset.format',
    hint: first.hint ?? first.path ?? 'See validation.json.',
  });
}

const KNOWN_CODES = [
  'missing',
  'format',
  'empty_split',
  'class_mismatch',
  'label_range',
  'corrupt_image',
  'no_labels',
].map((word) => `dataset.${word}`);
