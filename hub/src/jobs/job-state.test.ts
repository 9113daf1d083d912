import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOB_STATES, Problem } from '@trainyard/plugin-sdk';
import { decideAfterAttempt, nextJobState, type JobEvent } from './job-state.ts';

const FRESH = { tries: {}, disruptions: 0, stopAsked: false };
const EVENTS: readonly JobEvent[] = ['claimed', 'started', 'requeued', 'succeeded', 'failed', 'cancelled'];

test('every pair of state and event is either a step of the table or an illegal transition', () => {
  const legal: string[] = [];
  for (const state of JOB_STATES) {
    for (const event of EVENTS) {
      try {
        legal.push(`${state} ${event} ${nextJobState(state, event)}`);
      } catch (error) {
        assert.ok(error instanceof Problem && error.code === 'illegal-transition');
      }
    }
  }
  assert.equal(legal.length, 11);
  assert.ok(!legal.some((step) => /^(succeeded|failed|cancelled) /.test(step)), 'a terminal state is never left');
});

test('a killed attempt is tried again three times, with growing pauses, then the job fails', () => {
  let job: Parameters<typeof decideAfterAttempt>[1] = FRESH;
  const seen: string[] = [];
  for (let i = 0; i < 4; i++) {
    const decision = decideAfterAttempt({ state: 'failed', code: 'platform.killed' }, job);
    seen.push(`${decision.event} ${decision.delaySeconds}`);
    job = { tries: decision.tries, disruptions: decision.disruptions, stopAsked: false };
  }
  assert.deepEqual(seen, ['requeued 1', 'requeued 30', 'requeued 120', 'failed 0']);
});

test('a trainer may turn a retry into a no, never a no into a retry', () => {
  assert.equal(decideAfterAttempt({ state: 'failed', code: 'io.write', retryable: false }, FRESH).event, 'failed');
  assert.equal(decideAfterAttempt({ state: 'failed', code: 'config.invalid', retryable: true }, FRESH).event, 'failed');
});

test('preemption is not counted as a try; a stop that was asked ends the job', () => {
  const preempted = decideAfterAttempt({ state: 'stopped', cause: 'preempted' }, FRESH);
  assert.deepEqual([preempted.event, preempted.disruptions, preempted.tries], ['requeued', 1, {}]);
  assert.equal(
    decideAfterAttempt({ state: 'stopped', cause: 'preempted' }, { ...FRESH, stopAsked: true }).event,
    'cancelled',
  );
  assert.equal(
    decideAfterAttempt({ state: 'failed', code: 'platform.killed' }, { ...FRESH, stopAsked: true }).event,
    'cancelled',
  );
  assert.equal(decideAfterAttempt({ state: 'stopped', cause: 'timed_out' }, FRESH).code, 'platform.timeout');
});
