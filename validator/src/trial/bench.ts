import { join } from 'node:path';
import { entryOf, readCheckpointIndex } from './checkpoint-file.ts';
import { runTrial, type TrialPlan } from './run-trial.ts';
import type { TrialDeps } from './trial-deps.ts';
import type { Subject } from './subject.ts';
import { exitText, wasCutOff, type Trial } from './trials.ts';

const AT_ONCE = 2;

/** Runs trials in turn, two at a time, and keeps what they left. */
export class Bench {
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

  get cutShort(): string | null {
    return this.#cutShort;
  }

  /**
   * Null when an earlier trial made an end: one that could not be started or had to be ended by force is the last, because what follows would only
   * wait for its limit again.
   */
  async run(plan: TrialPlan): Promise<Trial | null> {
    await this.#turn();
    try {
      if (this.#cutShort !== null) return null;
      const trial = await runTrial(this.#deps, this.#subject, plan);
      this.#done.set(plan.name, trial);
      const expected = trial.stop.asked || plan.maxSeconds !== undefined;
      if (trial.exit.evidence.startFailed !== undefined || (wasCutOff(trial) && !expected)) {
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

  get(name: string): Trial | null {
    return this.#done.get(name) ?? null;
  }

  /** In the order of their names: two trials at a time end in any order, but a report must not depend on that. */
  all(): readonly Trial[] {
    return [...this.#done.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** All settle before anything is thrown: the caller removes the folders they work in. */
export async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  const broken = (await Promise.allSettled(work)).find((item) => item.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
}

/** The best checkpoint that a training left, else the last. */
export async function bestOf(trial: Trial): Promise<{ path: string; sha256: string } | null> {
  const index = await readCheckpointIndex(trial.jobFolder);
  if ('problem' in index) return null;
  const entry = entryOf(index, index.best) ?? entryOf(index, index.last);
  return entry === null ? null : { path: join(trial.jobFolder, entry.path), sha256: entry.sha256 };
}

export async function lastOf(trial: Trial): Promise<{ checkpoint: string; step: number } | null> {
  const index = await readCheckpointIndex(trial.jobFolder);
  const entry = 'problem' in index ? null : entryOf(index, index.last);
  return entry === null ? null : { checkpoint: entry.path, step: entry.step };
}
