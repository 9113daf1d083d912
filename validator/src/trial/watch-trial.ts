import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyEvent } from '@trainyard/plugin-sdk';
import { descendantsOf, killBelow, memoryBelow, shimOf } from './process-tree.ts';
import type { StopWish, TrialDeps } from './run-trial.ts';

const LOOK_EVERY = 3;
const WEIGH_EVERY = 500;

/** Stops or kills one trial when the time has come, or when the validation ends. */
export class Stop {
  readonly #controller = new AbortController();
  readonly #deps: TrialDeps;
  readonly #wish: StopWish | undefined;
  readonly #jobFolder: string;
  readonly #onAbort = (): void => this.#controller.abort('validation-ends');
  readonly #patience: NodeJS.Timeout | undefined;
  #shim: number | null = null;
  #ended = false;
  #askedAt: number | null = null;
  #cameTrue = false;

  constructor(deps: TrialDeps, wish: StopWish | undefined, jobFolder: string) {
    this.#deps = deps;
    this.#wish = wish;
    this.#jobFolder = jobFolder;
    deps.signal.addEventListener('abort', this.#onAbort);
    if (wish !== undefined) this.#patience = setTimeout(() => this.#act(), deps.limits.signOfTraining * 1000);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  get asked(): boolean {
    return this.#askedAt !== null;
  }
  /** It was asked because of what was seen, and not because we waited long enough. */
  get cameTrue(): boolean {
    return this.#cameTrue;
  }

  /** Between asking and now. */
  secondsSince(): number | null {
    return this.#askedAt === null ? null : (performance.now() - this.#askedAt) / 1000;
  }

  started(execution: string | null): void {
    this.#shim = shimOf(execution);
    const { seen } = this.#wish ?? {};
    if (seen !== undefined) void this.#look(seen);
  }

  hears(event: AnyEvent): void {
    if (this.asked || this.#wish?.at?.(event) !== true) return;
    this.#cameTrue = true;
    this.#act();
  }

  async #look(seen: NonNullable<StopWish['seen']>): Promise<void> {
    while (!this.#ended && !this.asked) {
      if (await seen(this.#jobFolder)) {
        this.#cameTrue = true;
        this.#act();
        return;
      }
      await sleep(LOOK_EVERY);
    }
  }

  #act(): void {
    if (this.asked || this.#ended) return;
    this.#askedAt = performance.now();
    if (this.#wish?.how === 'kill' && this.#shim !== null) void killBelow(this.#shim);
    else this.#controller.abort('stop');
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#patience);
    this.#deps.signal.removeEventListener('abort', this.#onAbort);
  }
}

/** The most memory that a trial had at one time; null where nothing could be seen. */
export class MemoryWatch {
  #timer: NodeJS.Timeout | undefined;
  #peak: number | null = null;
  #busy = false;

  get peak(): number | null {
    return this.#peak;
  }

  started(execution: string | null): void {
    const shim = shimOf(execution);
    if (shim === null) return;
    this.#timer = setInterval(() => void this.#weigh(shim), WEIGH_EVERY);
  }

  async #weigh(shim: number): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const bytes = (await descendantsOf(shim)).length === 0 ? 0 : await memoryBelow(shim);
    if (bytes > 0) this.#peak = Math.max(this.#peak ?? 0, bytes);
    this.#busy = false;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
