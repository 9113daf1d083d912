import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem, RUN_STATES } from '@trainyard/plugin-sdk';
import { nextRunState, type RunEvent } from './run-state.ts';

const EVENTS: readonly RunEvent[] = [
  'job-started',
  'job-requeued',
  'stop-asked',
  'job-cancelled',
  'job-succeeded',
  'job-failed',
  'resumed',
];

test('every pair is a step of the table or an illegal transition; a succeeded run is never left', () => {
  for (const state of RUN_STATES) {
    for (const event of EVENTS) {
      try {
        const next = nextRunState(state, event, false);
        assert.ok(RUN_STATES.includes(next));
        assert.notEqual(state, 'succeeded');
      } catch (error) {
        assert.ok(error instanceof Problem && error.code === 'illegal-transition');
      }
    }
  }
});

test('what was asked decides between paused and cancelled', () => {
  assert.equal(nextRunState('stopping', 'job-cancelled', true), 'paused');
  assert.equal(nextRunState('stopping', 'job-cancelled', false), 'cancelled');
});

test('a stop that came too late changes nothing', () => {
  assert.equal(nextRunState('stopping', 'job-succeeded', true), 'succeeded');
});
