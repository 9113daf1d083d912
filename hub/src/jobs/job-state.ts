import { Problem, RETRY_BUDGET, retryRuleOf, type JobState, type Outcome, type RetryRule } from '@trainyard/plugin-sdk';

/** Pure: the states of a job and what the end of an attempt makes of it (architecture.md §12.2). */

export type JobEvent = 'claimed' | 'started' | 'requeued' | 'succeeded' | 'failed' | 'cancelled';

const NEXT: Readonly<Record<JobState, Partial<Record<JobEvent, JobState>>>> = {
  queued: { claimed: 'claimed', cancelled: 'cancelled' },
  claimed: { started: 'running', requeued: 'queued', succeeded: 'succeeded', failed: 'failed', cancelled: 'cancelled' },
  running: { requeued: 'queued', succeeded: 'succeeded', failed: 'failed', cancelled: 'cancelled' },
  succeeded: {},
  failed: {},
  cancelled: {},
};

export function nextJobState(state: JobState, event: JobEvent): JobState {
  const next = NEXT[state][event];
  if (next === undefined)
    throw new Problem('illegal-transition', { detail: `A job that is ${state} cannot become ${event}.` });
  return next;
}

export interface JobTries {
  readonly tries: Readonly<Partial<Record<RetryRule, number>>>;
  readonly disruptions: number;
  /** Somebody asked to stop: nothing starts again by itself. */
  readonly stopAsked: boolean;
}
export interface Decision {
  readonly event: 'requeued' | 'succeeded' | 'failed' | 'cancelled';
  readonly tries: Partial<Record<RetryRule, number>>;
  readonly disruptions: number;
  readonly delaySeconds: number;
  /** Code and message that stay with the job. */
  readonly code: string | null;
}

const MAX_DISRUPTIONS = 50;
const BACK_OFF = [1, 30, 120] as const;

export function decideAfterAttempt(outcome: Outcome, job: JobTries): Decision {
  const same = { tries: { ...job.tries }, disruptions: job.disruptions, delaySeconds: 0 };
  if (outcome.state === 'succeeded') return { ...same, event: 'succeeded', code: null };
  if (outcome.state === 'stopped') {
    if (outcome.cause === 'cancelled' || job.stopAsked) return { ...same, event: 'cancelled', code: null };
    if (outcome.cause === 'timed_out') return { ...same, event: 'failed', code: 'platform.timeout' };
    if (job.disruptions >= MAX_DISRUPTIONS) return { ...same, event: 'failed', code: 'platform.preempted' };
    return { ...same, event: 'requeued', disruptions: job.disruptions + 1, code: 'platform.preempted' };
  }
  const code = outcome.code ?? (outcome.state === 'lost' ? 'platform.lost' : 'internal.exception');
  if (job.stopAsked && code.startsWith('platform.')) return { ...same, event: 'cancelled', code };
  const rule = retryRuleOf(code);
  const used = job.tries[rule] ?? 0;
  if (job.stopAsked || outcome.retryable === false || used >= RETRY_BUDGET[rule])
    return { ...same, event: 'failed', code };
  return {
    ...same,
    tries: { ...job.tries, [rule]: used + 1 },
    event: 'requeued',
    delaySeconds: BACK_OFF[used] ?? 300,
    code,
  };
}
