import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { StopRequest } from './errors.ts';

/**
 * Listens for the wish to stop: SIGTERM or SIGINT, a stop line on stdin (hosts without signals), or the wall limit. A second signal ends the
 * process at once with 143. Create it first thing; `safePoint` throws at a moment when the caller can still save.
 */
export class StopWatch {
  #reason: 'signal' | 'limit' | null = null;
  #wake: (() => void)[] = [];
  #deadline = Infinity;

  constructor(listenToStdin: boolean) {
    const onSignal = (): void => {
      if (this.#reason === 'signal') process.exit(143);
      this.#stop('signal');
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    if (listenToStdin) this.#followStdin();
  }

  get reason(): 'signal' | 'limit' | null {
    if (this.#reason === null && performance.now() >= this.#deadline) this.#reason = 'limit';
    return this.#reason;
  }

  /** Wall limit, counted from the start of the process; a tenth of it (at most 5 s) is kept for saving. */
  limitTo(maxSeconds: number): void {
    this.#deadline = (maxSeconds - Math.min(5, maxSeconds / 10)) * 1000;
  }

  /** Lets signals and timers in, then throws when the run shall stop. */
  async safePoint(): Promise<void> {
    await setImmediate();
    if (this.reason !== null) throw new StopRequest(this.reason);
  }

  /** Waits, but no longer than until a stop is asked for. */
  async pause(milliseconds: number): Promise<void> {
    if (this.reason !== null || milliseconds <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#wake = [];
  }

  #stop(reason: 'signal' | 'limit'): void {
    this.#reason = reason;
    for (const wake of this.#wake) wake();
  }

  #followStdin(): void {
    const lines = createInterface({ input: process.stdin });
    lines.on('line', (line) => {
      try {
        const value: unknown = JSON.parse(line);
        if (value !== null && typeof value === 'object' && Reflect.get(value, 'type') === 'stop') this.#stop('signal');
      } catch {
        // Not a stop line.
      }
    });
    process.stdin.unref?.();
  }
}
