import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DATASET_FAULTS, withFaults, type DatasetFault } from './broken-dataset.ts';
import { entryOf, readCheckpointIndex } from './checkpoint-file.ts';
import { answerNames } from './trial-answer.ts';
import { runTrial, type TrialDeps, type TrialPlan } from './run-trial.ts';
import type { Subject } from './subject.ts';
import { tinyDataset, writeDataset, type WrittenDataset } from './tiny-dataset.ts';
import { exitCodeOf, exitText, wasCutOff, type Trial, type Trials } from './trials.ts';
import { withWrong, wrongSettings } from './wrong-settings.ts';

const AT_ONCE = 2;
export const UNKNOWN_MODEL = 'no-such-model-here';
export const UNKNOWN_TASK = 'x-no-such-task';
const SOME_DIGEST = '5'.repeat(64);

/**
 * Runs the trainer as often as the checks need, two runs at a time. A trial that could not be started or had to be ended by force is the last:
 * what follows would only wait for its limit again.
 */
export async function runTrials(
  deps: TrialDeps,
  subject: Subject,
  seed: number,
  onTrial: (trial: Trial) => void,
): Promise<Trials> {
  const bench = new Bench(deps, subject, onTrial);
  const plan = tinyDataset(seed);
  const good = await writeDataset(plan, join(deps.root, 'dataset-good'));
  const wrong = wrongSettings(subject.configSchema, subject.task.id);
  const faulty = (name: string, faults: readonly DatasetFault[]): Promise<WrittenDataset> =>
    writeDataset(withFaults(plan, faults), join(deps.root, `dataset-${name}`));

  await bench.run({ name: 'describe', verb: 'describe' });
  const emptyCheckpoint = join(deps.root, 'c-000001');
  await mkdir(emptyCheckpoint);
  const wrongTogether = async (): Promise<void> => {
    const all = { ...validate('config-all', good), settings: withWrong(subject.quick, wrong) };
    if (
      namesAll(
        await bench.run(all),
        78,
        wrong.map(({ key }) => key),
      )
    )
      return;
    for (const one of wrong)
      await bench.run({ ...validate(`config-${one.name}`, good), settings: withWrong(subject.quick, [one]) });
  };
  const faultsTogether = async (): Promise<void> => {
    const all = await bench.run(validate('dataset-all', await faulty('all', DATASET_FAULTS)));
    if (
      namesAll(
        all,
        65,
        DATASET_FAULTS.map(({ names }) => names),
      )
    )
      return;
    for (const fault of DATASET_FAULTS)
      await bench.run(validate(`dataset-${fault.name}`, await faulty(fault.name, [fault])));
  };
  const trainAndEvaluate = async (): Promise<void> => {
    const trained = await bench.run({ name: 'train', verb: 'train', dataset: good });
    const checkpoint = trained === null ? null : await bestOf(trained);
    if (checkpoint !== null) await bench.run({ name: 'evaluate', verb: 'evaluate', dataset: good, checkpoint });
  };
  const stopAndResume = async (): Promise<void> => {
    if (subject.endless === null || subject.manifest.capabilities.stop === 'none') return;
    const long = { verb: 'train', settings: subject.endless, dataset: good, stopWhenTraining: true } as const;
    const stopped = await bench.run({ ...long, name: 'long' });
    if (stopped === null || subject.manifest.capabilities.resume === 'none') return;
    const from = exitCodeOf(stopped) === 75 ? await lastOf(stopped) : null;
    if (from === null) return;
    // In a copy: the checks still look at what the stop left.
    const jobFolder = join(deps.root, 'trial-resumed');
    await cp(stopped.jobFolder, jobFolder, { recursive: true });
    await bench.run({ ...long, name: 'resumed', resumeIn: { ...from, jobFolder } });
  };
  // All settle before anything is thrown: the caller removes the folders they work in.
  const settled = await Promise.allSettled([
    trainAndEvaluate(),
    stopAndResume(),
    bench.run(validate('validate', good)),
    wrongTogether(),
    faultsTogether(),
    bench.run({ ...validate('unsupported-model', good), model: UNKNOWN_MODEL }),
    bench.run({ ...validate('unsupported-task', good), task: UNKNOWN_TASK }),
    bench.run({
      name: 'evaluate-absent',
      verb: 'evaluate',
      dataset: good,
      checkpoint: { path: emptyCheckpoint, sha256: SOME_DIGEST },
    }),
  ]);
  const broken = settled.find((item) => item.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
  return bench.trials(wrong);
}

function validate(name: string, dataset: WrittenDataset): TrialPlan {
  return { name, verb: 'validate', dataset };
}

function namesAll(trial: Trial | null, code: number, names: readonly (string | RegExp)[]): boolean {
  return trial !== null && exitCodeOf(trial) === code && names.every((name) => answerNames(trial, name));
}

async function bestOf(trial: Trial): Promise<{ path: string; sha256: string } | null> {
  const index = await readCheckpointIndex(trial.jobFolder);
  if ('problem' in index) return null;
  const entry = entryOf(index, index.best) ?? entryOf(index, index.last);
  return entry === null ? null : { path: join(trial.jobFolder, entry.path), sha256: entry.sha256 };
}

async function lastOf(trial: Trial): Promise<{ checkpoint: string; step: number } | null> {
  const index = await readCheckpointIndex(trial.jobFolder);
  const entry = 'problem' in index ? null : entryOf(index, index.last);
  return entry === null ? null : { checkpoint: entry.path, step: entry.step };
}

/** Runs trials in turn, a few at a time, and keeps what they left. */
class Bench {
  readonly #deps: TrialDeps;
  readonly #subject: Subject;
  readonly #onTrial: (trial: Trial) => void;
  readonly #done = new Map<string, Trial>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #cutShort: string | null = null;

  constructor(deps: TrialDeps, subject: Subject, onTrial: (trial: Trial) => void) {
    this.#deps = deps;
    this.#subject = subject;
    this.#onTrial = onTrial;
  }

  /** Null when an earlier trial made an end. */
  async run(plan: TrialPlan): Promise<Trial | null> {
    await this.#turn();
    try {
      if (this.#cutShort !== null) return null;
      const trial = await runTrial(this.#deps, this.#subject, plan);
      this.#done.set(plan.name, trial);
      if (trial.exit.evidence.startFailed !== undefined || (wasCutOff(trial) && !trial.stop.asked)) {
        this.#cutShort = `The run "${trial.name}" ended with ${exitText(trial.exit)}, so no more were tried.`;
      }
      this.#onTrial(trial);
      return trial;
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
  }

  trials(wrong: Trials['wrongSettings']): Trials {
    // In the order of their names: two trials at a time end in any order, but a report must not depend on that.
    const all = [...this.#done.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      subject: this.#subject,
      all,
      get: (name) => this.#done.get(name) ?? null,
      cutShort: this.#cutShort,
      wrongSettings: wrong,
      datasetFaults: DATASET_FAULTS,
      grace: this.#deps.limits.grace,
    };
  }
}
