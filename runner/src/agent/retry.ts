import { Problem, type ProblemCode } from '@trainyard/plugin-sdk';
import type { Clock } from './clock.ts';

/** Codes after which the same call may succeed later without anything being changed. */
const LATER: readonly ProblemCode[] = ['unavailable', 'rate-limited', 'storage-full'];

/** What fetch and streams throw when a connection breaks while a body travels. */
export function isBrokenTransfer(error: unknown): boolean {
  if (!(error instanceof Error) || error.name === 'AbortError') return false;
  const code = 'code' in error ? String(error.code) : '';
  return (
    (error instanceof TypeError && error.message === 'terminated') ||
    code.startsWith('UND_ERR') ||
    ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code)
  );
}

function isLater(error: unknown): boolean {
  return isBrokenTransfer(error) || (error instanceof Problem && LATER.includes(error.code));
}

/** A hub that breaks over one request may break over it each time: such a call is given up after some tries. */
const MOST_BREAKS = 10;

function isBreak(error: unknown): boolean {
  return error instanceof Problem && error.code === 'internal';
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
  let breaks = 0;
  for (;;) {
    options.signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (isBreak(error)) breaks += 1;
      if (options.signal.aborted || breaks >= MOST_BREAKS || !(isLater(error) || isBreak(error))) throw error;
      const jittered = wait * (0.8 + Math.random() * 0.4);
      options.onWait?.(error, jittered);
      await options.clock.sleep(jittered, options.signal);
      wait = Math.min(wait * 2, options.longest ?? 5000);
    }
  }
}
