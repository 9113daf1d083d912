import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { recomputeMetrics, type RecomputedMetrics } from '@trainyard/plugin-sdk/metrics';
import type { JsonObject } from '@trainyard/plugin-sdk/config';
import { isTask, writeDataset, type TestData, type WrittenDataset } from '../data/test-data.ts';
import { Bench, bestOf, lastOf, settleAll } from '../trial/bench.ts';
import { trainerEvents } from '../trial/event-file.ts';
import { asRecord, readJsonOutput } from '../trial/output-json.ts';
import { nearestAllowed, turnedDown } from '../trial/quick-settings.ts';
import { WHEN_TRAINING } from '../trial/run-trial.ts';
import type { TrialDeps } from '../trial/trial-deps.ts';
import type { StopWish } from '../trial/stop-wish.ts';
import type { Subject } from '../trial/subject.ts';
import { exitCodeOf, type Trial } from '../trial/trials.ts';
import { slowness } from '../trial/calibrate.ts';
import { FLOORS, TIME_BOX } from './floors.ts';

/** Everything that was tried to see whether a trainer learns, stops and goes on. */
export interface AcceptanceTrials {
  readonly subject: Subject;
  readonly data: TestData;
  readonly dataset: WrittenDataset;
  readonly proofSettings: JsonObject;
  /** Settings of the small differential runs. */
  readonly base: JsonObject;
  readonly varied: JsonObject;
  readonly factor: number;
  readonly timeBox: number;
  get(name: string): Trial | null;
  readonly cutShort: string | null;
  readonly primary: { readonly name: string; readonly floor: number };
  /** The training that counts: interrupted and resumed where the trainer can that, else in one go. */
  readonly proof: Trial | null;
  readonly checkpoint: { readonly path: string; readonly sha256: string } | null;
  /** Value of `primary.name` in metrics.json of the training, of evaluate, and computed by us from the predictions of evaluate. */
  readonly reported: number | null;
  readonly evaluated: number | null;
  readonly recomputed: RecomputedMetrics | { readonly problem: string } | null;
}

export interface AcceptanceData {
  readonly large: TestData;
  readonly tiny: TestData;
}

const SMALL_EPOCHS = 2;
const PATIENCE_SECONDS = 60;
/** Metric events of the first attempt before it is stopped: somewhere inside an epoch. */
const STOP_AFTER = 4;

export async function runAcceptanceTrials(
  deps: TrialDeps,
  subject: Subject,
  data: AcceptanceData,
  proofSettings: JsonObject,
  onTrial: (trial: Trial) => void,
): Promise<AcceptanceTrials> {
  const factor = slowness();
  const timeBox = TIME_BOX * factor;
  const bench = new Bench(deps, subject, onTrial);
  const dataset = await writeDataset(data.large, join(deps.root, 'dataset-proof'));
  const tiny = await writeDataset(data.tiny, join(deps.root, 'dataset-tiny'));
  const { capabilities } = subject.manifest;
  const claim = subject.manifest.models.find(({ id }) => id === subject.model);
  // The proof's, so that a rate that another setting rules out by default counts.
  const base = { ...turnedDown(proofSettings, subject.configSchema, claim), ...epochs(subject, SMALL_EPOCHS) };
  const varied = variedSettings(subject, base);
  const short = PATIENCE_SECONDS * factor;
  const small = { verb: 'train', dataset: tiny, maxSeconds: short } as const;

  const prove = async (): Promise<Trial | null> => {
    const whole = { verb: 'train', dataset, settings: proofSettings, maxSeconds: Math.ceil(timeBox) } as const;
    if (capabilities.resume === 'none' || capabilities.stop === 'none') return bench.run({ ...whole, name: 'proof' });
    const first = await bench.run({ ...whole, name: 'proof-first', stop: afterMetrics(STOP_AFTER) });
    // It was quicker than we could stop it: then that was the whole training.
    if (first === null || exitCodeOf(first) === 0) return first;
    const from = exitCodeOf(first) === 75 ? await lastOf(first) : null;
    if (from === null) return bench.run({ ...whole, name: 'proof' });
    const jobFolder = join(deps.root, 'trial-proof-resumed');
    await cp(first.jobFolder, jobFolder, { recursive: true });
    const resumed = await bench.run({ ...whole, name: 'proof-resumed', resumeIn: { ...from, jobFolder } });
    if (resumed !== null && exitCodeOf(resumed) === 0) return resumed;
    return bench.run({ ...whole, name: 'proof' });
  };
  let proof: Trial | null = null;
  let checkpoint: AcceptanceTrials['checkpoint'] = null;
  const proveAndEvaluate = async (): Promise<void> => {
    proof = await prove();
    checkpoint = proof === null ? null : await bestOf(proof);
    if (checkpoint === null || !capabilities.commands.includes('evaluate')) return;
    await bench.run({
      name: 'proof-evaluate',
      verb: 'evaluate',
      dataset,
      checkpoint,
      settings: proofSettings,
      maxSeconds: Math.ceil(timeBox),
    });
  };
  const behave = async (): Promise<void> => {
    await bench.run({ ...small, name: 'base', settings: base });
    if (Object.keys(varied).length > 0) await bench.run({ ...small, name: 'varied', settings: { ...base, ...varied } });
    if (base['seed'] === undefined) return;
    await bench.run({ ...small, name: 'other-seed', settings: { ...base, seed: Number(base['seed']) + 1 } });
    if (capabilities.determinism !== 'none') await bench.run({ ...small, name: 'again', settings: base });
  };
  const stopEarly = async (): Promise<void> => {
    if (capabilities.stop === 'none' || subject.endless === null) return;
    await bench.run({ ...small, name: 'early', settings: subject.endless, stop: WHEN_STARTED });
  };
  const kill = async (): Promise<void> => {
    if (subject.endless === null) return;
    for (const [name, stop] of kills()) {
      const killed = await bench.run({ ...small, name, settings: subject.endless, stop });
      if (killed === null || capabilities.resume === 'none') continue;
      const from = await lastOf(killed);
      if (from === null) continue;
      const jobFolder = join(deps.root, `trial-${name}-resumed`);
      await cp(killed.jobFolder, jobFolder, { recursive: true });
      await bench.run({
        ...small,
        name: `${name}-resumed`,
        settings: subject.endless,
        resumeIn: { ...from, jobFolder },
        stop: WHEN_TRAINING,
      });
    }
  };
  await settleAll([proveAndEvaluate(), behave().then(stopEarly).then(kill)]);
  const primary = isTask(subject.task.id) ? FLOORS[subject.task.id] : { name: subject.task.metrics.primary, floor: 0 };
  const evaluated = bench.get('proof-evaluate');
  return {
    subject,
    data: data.large,
    dataset,
    proofSettings,
    base,
    varied,
    factor,
    timeBox,
    get: (name) => bench.get(name),
    cutShort: bench.cutShort,
    primary,
    proof,
    checkpoint,
    reported: proof === null ? null : await valueOf(proof, primary.name),
    evaluated: evaluated === null ? null : await valueOf(evaluated, primary.name),
    recomputed: evaluated === null || exitCodeOf(evaluated) !== 0 ? null : await recompute(subject, dataset, evaluated),
  };
}

/** A number of epochs, as near as the schema allows; nothing when there is no such setting. */
function epochs(subject: Subject, wanted: number): JsonObject {
  const value = nearestAllowed(subject.configSchema, 'epochs', wanted);
  return value === null ? {} : { epochs: value };
}

function variedSettings(subject: Subject, base: JsonObject): JsonObject {
  const varied: JsonObject = { ...epochs(subject, SMALL_EPOCHS + 1) };
  const batch =
    typeof base['batch'] === 'number' ? nearestAllowed(subject.configSchema, 'batch', base['batch'] / 2) : null;
  if (batch !== null) varied['batch'] = batch;
  const { learning_rate: rate } = base;
  if (typeof rate === 'number') varied['learning_rate'] = rate / 2;
  return varied;
}

const WHEN_STARTED: StopWish = { how: 'stop', at: (event) => event.type === 'started' };
/** Inside the write of a checkpoint, and between two of them. */
function kills(): readonly (readonly [string, StopWish])[] {
  return [
    // The second checkpoint; its index is written the same way and does not count.
    ['killed-writing', { how: 'kill', file: /^\.tmp-(?!index)/, after: 2 }],
    ['killed-training', { how: 'kill', at: metricCount(5) }],
  ];
}

function metricCount(count: number): NonNullable<StopWish['at']> {
  let seen = 0;
  return (event) => {
    if (event.type === 'metric') seen += 1;
    return seen >= count;
  };
}

function afterMetrics(count: number): StopWish {
  return { how: 'stop', at: metricCount(count) };
}

async function valueOf(trial: Trial, name: string): Promise<number | null> {
  const metrics = asRecord((await readJsonOutput(trial, 'output/metrics.json'))?.['metrics']);
  const value = metrics?.[name];
  if (typeof value === 'number') return value;
  const finished = trainerEvents(trial.events).find((event) => event.type === 'finished');
  return finished?.metrics?.[name] ?? null;
}

async function recompute(
  subject: Subject,
  dataset: WrittenDataset,
  trial: Trial,
): Promise<RecomputedMetrics | { readonly problem: string }> {
  try {
    return await recomputeMetrics({
      task: subject.task.id,
      dataset: { folder: dataset.folder },
      split: 'val',
      predictions: join(trial.jobFolder, 'output', 'predictions.jsonl'),
    });
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
