import { setTimeout as sleep } from 'node:timers/promises';

export interface Clock {
  now(): number;
  /** Ends early, without an error, when the signal fires. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    if (signal.aborted) return;
    await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
  },
};
