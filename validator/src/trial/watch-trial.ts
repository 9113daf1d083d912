import { watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import type { AnyEvent } from '@trainyard/plugin-sdk';
import { descendantsOf, killBelow, memoryOf, residentPages, shimOf } from './process-tree.ts';
import type { StopWish } from './stop-wish.ts';
import type { TrialDeps } from './trial-deps.ts';

const WEIGH_EVERY = 500;

/** Stops or kills one trial when the time has come, or when the validation ends. */
export class Stop {
  readonly #controller = new AbortController();
  readonly #deps: TrialDeps;
  readonly #wish: StopWish | undefined;
  readonly #jobFolder: string;
  readonly #onAbort = (): void => this.#controller.abort('validation-ends');
  readonly #patience: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
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
    const { file, after = 1 } = this.#wish ?? {};
    if (file === undefined) return;
    let times = 0;
    this.#watcher = watch(join(this.#jobFolder, 'checkpoints'), (_kind, name) => {
      if (this.asked || name === null || !file.test(name)) return;
      times += 1;
      // Appearing and going are two calls.
      if (times < 2 * after - 1) return;
      this.#cameTrue = true;
      this.#act();
    });
    this.#watcher.on('error', () => undefined);
  }

  hears(event: AnyEvent): void {
    if (this.asked || this.#wish?.at?.(event) !== true) return;
    this.#cameTrue = true;
    this.#act();
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
    this.#watcher?.close();
    this.#deps.signal.removeEventListener('abort', this.#onAbort);
  }
}

/** The most memory that a trial had at one time; null where nothing could be seen. */
export class MemoryWatch {
  #timer: NodeJS.Timeout | undefined;
  #peak: number | null = null;
  #mostPages = 0;
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
    const pids = await descendantsOf(shim);
    const pages = await residentPages(pids);
    if (pages > this.#mostPages) {
      this.#mostPages = pages;
      const bytes = await memoryOf(pids);
      if (bytes > 0) this.#peak = Math.max(this.#peak ?? 0, bytes);
    }
    this.#busy = false;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
