import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../agent/index.ts';
import { SILENT_LOG } from '../agent/index.ts';
import { scaledTimings, type RunnerConfig } from '../config.ts';
import { startRunner } from '../main.ts';
import type { FakeAttempt } from './fake-attempt.ts';
import { FakeHub } from './fake-hub.ts';

/** A fake hub with a runner of its own home, for one test file. */
export class RunnerBench {
  readonly hub = new FakeHub();
  readonly home: string;
  #end = new AbortController();
  #running: Promise<void> = Promise.resolve();

  readonly #more: Partial<RunnerConfig>;

  private constructor(home: string, more: Partial<RunnerConfig>) {
    this.home = home;
    this.#more = more;
  }

  static async open(more: Partial<RunnerConfig> = {}): Promise<RunnerBench> {
    const bench = new RunnerBench(await mkdtemp(join(tmpdir(), 'runner-test-')), more);
    await bench.hub.start();
    return bench;
  }

  get config(): RunnerConfig {
    return {
      hubUrl: this.hub.url,
      token: 'agent-key',
      home: this.home,
      slots: 2,
      agentName: 'runner-test',
      timings: scaledTimings(0.02),
      silenceSeconds: 300,
      ...this.#more,
    };
  }

  startRunner(log: Log = SILENT_LOG): void {
    this.#end = new AbortController();
    this.#running = startRunner(this.config, this.#end.signal, log);
    this.#running.catch((error: unknown) => console.error(error));
  }

  async endRunner(): Promise<void> {
    this.#end.abort('agent-ending');
    await this.#running;
  }

  async close(): Promise<void> {
    await this.endRunner();
    await this.hub.stop();
    await rm(this.home, { recursive: true, force: true });
  }
}

/** Waits for a condition, with a deadline. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, seconds = 20): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`it did not happen within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function outcomeOf(attempt: FakeAttempt, seconds = 20): Promise<NonNullable<FakeAttempt['outcome']>> {
  await until(
    `an outcome; phases: ${JSON.stringify(attempt.phases.slice(-3))}`,
    () => attempt.outcome !== null,
    seconds,
  );
  if (attempt.outcome === null) throw new Error('unreachable');
  return attempt.outcome;
}
