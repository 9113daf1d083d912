import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '@trainyard/plugin-sdk/config';
import type { DatasetFault } from '../data/dataset-fault.ts';
import { datasetFaults, withFaults } from '../data/dataset-faults.ts';
import { writeDataset, type TestData, type WrittenDataset } from '../data/test-data.ts';
import { Bench, bestOf, lastOf, settleAll } from '../trial/bench.ts';
import { entryOf, readCheckpointIndex } from '../trial/checkpoint-file.ts';
import { answerNames } from '../trial/trial-answer.ts';
import { WHEN_TRAINING, type TrialPlan } from '../trial/run-trial.ts';
import type { TrialDeps } from '../trial/trial-deps.ts';
import type { Subject } from '../trial/subject.ts';
import { exitCodeOf, type Trial, type Trials } from '../trial/trials.ts';
import { otherSettings, type Judge } from './other-settings.ts';
import { emptyCheckpointTrials, refusedTrials, spoiltCheckpointTrials } from './refused-trials.ts';
import { changedFiles, snapshotOf } from './stray-writes.ts';
import { withoutClass, writePictures } from './trial-data.ts';
import { withWrong, wrongSettings } from './wrong-settings.ts';

/** A checkpoint fits once and a half: the second one meets the end of the disk. */
const DISK_SHARE = 1.5;
const PAGE = 4096;

/** Runs the trainer as often as the checks need. What says nothing about the task is tried for the first task only. */
export async function runTrials(
  deps: TrialDeps,
  subject: Subject,
  data: TestData,
  options: { readonly first: boolean; readonly judge: Judge; readonly onTrial: (trial: Trial) => void },
): Promise<Trials> {
  const bench = new Bench(deps, subject, options.onTrial);
  const good = await writeDataset(data, join(deps.root, 'dataset-good'));
  const { configSchema, manifest } = subject;
  const task = subject.task.id;
  const model = manifest.models.find((claim) => claim.id === subject.model);
  const wrong = wrongSettings(configSchema, task);
  const other = await otherSettings(configSchema, task, subject.quick, model, options.judge);
  const faults = datasetFaults(data);
  const before = await snapshotOf(subject);
  await bench.run({ name: 'describe', verb: 'describe' });

  const trainAndUse = async (): Promise<void> => {
    const trained = await bench.run({ name: 'train', verb: 'train', dataset: good, observed: true });
    const checkpoint = trained === null ? null : await bestOf(trained);
    if (trained === null || checkpoint === null) return;
    const pictures = await writePictures(data, join(deps.root, 'pictures'));
    const can = (verb: 'evaluate' | 'predict'): boolean => manifest.capabilities.commands.includes(verb);
    await settleAll([
      can('evaluate') ? bench.run({ name: 'evaluate', verb: 'evaluate', dataset: good, checkpoint }) : none(),
      can('predict') ? bench.run({ name: 'predict', verb: 'predict', pictures, checkpoint }) : none(),
      ...(options.first
        ? [
            smallDisk(trained),
            wallLimit(trained),
            ...spoiltCheckpointTrials(bench, subject, good, checkpoint, deps.root),
          ]
        : []),
    ]);
  };
  /** Room for one checkpoint and a half. */
  const smallDisk = async (trained: Trial): Promise<void> => {
    const bytes = await checkpointBytes(trained);
    if (bytes === 0 || subject.endless === null) return;
    const smallDisk = Math.ceil((bytes * DISK_SHARE) / PAGE) * PAGE + 8 * PAGE;
    await bench.run({
      name: 'disk-full',
      verb: 'train',
      dataset: good,
      settings: subject.endless,
      smallDisk,
      maxSeconds: deps.limits.train,
    });
  };
  const wallLimit = async (trained: Trial): Promise<void> => {
    if (subject.endless === null) return;
    const maxSeconds = Math.max(4, Math.ceil(trained.seconds));
    await bench.run({
      ...{ name: 'wall-limit', verb: 'train', dataset: good, settings: subject.endless },
      overrides: { limits: { cpus: 1, memoryBytes: 8 * 1024 ** 3, shmBytes: 256 * 1024 ** 2, maxSeconds } },
      maxSeconds: maxSeconds + deps.limits.grace + 15,
    });
  };
  const stopAndResume = async (): Promise<void> => {
    if (subject.endless === null || manifest.capabilities.stop === 'none') return;
    const long = { verb: 'train', settings: subject.endless, dataset: good, stop: WHEN_TRAINING } as const;
    const stopped = await bench.run({ ...long, name: 'long' });
    if (stopped === null || manifest.capabilities.resume === 'none') return;
    const from = exitCodeOf(stopped) === 75 ? await lastOf(stopped) : null;
    if (from === null) return;
    // In a copy: the checks still look at what the stop left.
    const jobFolder = join(deps.root, 'trial-resumed');
    await cp(stopped.jobFolder, jobFolder, { recursive: true });
    await bench.run({ ...long, name: 'resumed', resumeIn: { ...from, jobFolder } });
  };
  const settingsArrive = async (): Promise<void> => {
    await trySettings(bench, subject, good, Object.entries(other.values), 'settings');
    if (Object.keys(other.trained).length === 0) return;
    await bench.run({
      name: 'train-settings',
      verb: 'train',
      dataset: good,
      settings: { ...subject.quick, ...other.trained },
    });
  };
  const partial = withoutClass(data);
  await settleAll([
    trainAndUse(),
    stopAndResume(),
    settingsArrive(),
    bench.run(validate('validate', good)),
    partial === null
      ? none()
      : writeDataset(partial, join(deps.root, 'dataset-partial')).then((some) =>
          bench.run(validate('validate-partial', some)),
        ),
    wrongTogether(bench, subject, good, wrong),
    faultsTogether(bench, deps.root, data, faults),
    ...(options.first ? [...refusedTrials(bench, subject, good), emptyCheckpointTrials(bench, deps.root, good)] : []),
  ]);
  return {
    subject,
    all: bench.all(),
    get: (name) => bench.get(name),
    cutShort: bench.cutShort,
    wrongSettings: wrong,
    datasetFaults: faults,
    otherSettings: other,
    data,
    grace: deps.limits.grace,
    first: options.first,
    strayWrites: await changedFiles(subject, before),
  };
}

async function none(): Promise<null> {
  return null;
}

export function validate(name: string, dataset: WrittenDataset): TrialPlan {
  return { name, verb: 'validate', dataset };
}

/** All at once, and one by one only where the answer is not whole. */
async function wrongTogether(
  bench: Bench,
  subject: Subject,
  good: WrittenDataset,
  wrong: Trials['wrongSettings'],
): Promise<void> {
  const all = { ...validate('config-all', good), settings: withWrong(subject.quick, wrong) };
  const names = wrong.map(({ key }) => key);
  if (namesAll(await bench.run(all), 78, names)) return;
  for (const one of wrong)
    await bench.run({ ...validate(`config-${one.name}`, good), settings: withWrong(subject.quick, [one]) });
}

async function faultsTogether(
  bench: Bench,
  root: string,
  data: TestData,
  faults: readonly DatasetFault[],
): Promise<void> {
  const together = faults.filter(({ alone }) => alone !== true);
  const faulty = (name: string, some: readonly DatasetFault[]): Promise<WrittenDataset> =>
    writeDataset(withFaults(data, some), join(root, `dataset-${name}`));
  const all = await bench.run(validate('dataset-all', await faulty('all', together)));
  const whole = namesAll(
    all,
    65,
    together.map(({ names }) => names),
  );
  for (const fault of whole ? faults.filter(({ alone }) => alone === true) : faults)
    await bench.run(validate(`dataset-${fault.name}`, await faulty(fault.name, [fault])));
}

/** Half of them again and again, until the ones that are refused stand alone. */
async function trySettings(
  bench: Bench,
  subject: Subject,
  good: WrittenDataset,
  entries: readonly (readonly [string, JsonObject[string]])[],
  name: string,
): Promise<void> {
  const trial = await bench.run({
    ...validate(name, good),
    settings: { ...subject.quick, ...Object.fromEntries(entries) },
  });
  if (trial === null || exitCodeOf(trial) === 0 || entries.length < 2) return;
  const middle = Math.ceil(entries.length / 2);
  await trySettings(bench, subject, good, entries.slice(0, middle), `${name}-a`);
  await trySettings(bench, subject, good, entries.slice(middle), `${name}-b`);
}

function namesAll(trial: Trial | null, code: number, names: readonly (string | RegExp)[]): boolean {
  return trial !== null && exitCodeOf(trial) === code && names.every((name) => answerNames(trial, name));
}

async function checkpointBytes(trained: Trial): Promise<number> {
  const index = await readCheckpointIndex(trained.jobFolder);
  return 'problem' in index ? 0 : (entryOf(index, index.last)?.bytes ?? 0);
}
