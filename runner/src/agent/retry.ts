import { Problem, type ProblemCode } from '@trainyard/plugin-sdk';
import type { Clock } from './clock.ts';

/** Codes after which the same call may succeed later without anything being changed. */
const LATER: readonly ProblemCode[] = ['unavailable', 'rate-limited', 'internal', 'storage-full'];

export function isLater(error: unknown): boolean {
  return error instanceof Problem && LATER.includes(error.code);
}

export function isSuperseded(error: unknown): boolean {
  return error instanceof Problem && error.code === 'attempt-superseded';
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds of the first and the longest wait. */
  readonly first?: number;
  readonly longest?: number;
  readonly onWait?: (error: unknown, milliseconds: number) => void;
}

/** Repeats a call while the hub is away, with jittered back-off, until it answers, refuses for good, or the signal fires. */
export async function untilHubAnswers<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  let wait = options.first ?? 200;
  for (;;) {
    options.signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (options.signal.aborted || !isLater(error)) throw error;
      const jittered = wait * (0.8 + Math.random() * 0.4);
      options.onWait?.(error, jittered);
      await options.clock.sleep(jittered, options.signal);
      wait = Math.min(wait * 2, options.longest ?? 5000);
    }
  }
}
