/** Time of the fake backend: the real one, or a virtual one that never waits. */
export interface FakeClock {
  now(): number;
  /** Resolves when the time is over or the signal fires, whichever comes first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const realClock: FakeClock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const timer = setTimeout(done, ms);
      function done(): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      }
      signal?.addEventListener('abort', done, { once: true });
    }),
};

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * Moves on to the next sleeper as soon as nobody has anything else to do, so that hours of training take milliseconds and always in the same
 * order. No timers of its own.
 */
export class VirtualClock implements FakeClock {
  #now: number;
  #sleepers: Sleeper[] = [];
  #pumping = false;

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => this.#wake(sleeper), { once: true });
      this.#pump();
    });
  }

  #wake(sleeper: Sleeper): void {
    this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
    sleeper.wake();
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    // Two turns of the event loop: whoever was woken, and those who wait for them, come first.
    setImmediate(() =>
      setImmediate(() => {
        this.#pumping = false;
        const next = this.#sleepers.reduce<Sleeper | null>(
          (first, one) => (first === null || one.at < first.at ? one : first),
          null,
        );
        if (next === null) return;
        this.#now = Math.max(this.#now, next.at);
        this.#wake(next);
        if (this.#sleepers.length > 0) this.#pump();
      }),
    );
  }
}
