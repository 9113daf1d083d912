import { Problem, type RunState } from '@trainyard/plugin-sdk';

/** Pure: the states of a run (architecture.md §12.3). A run has one job at a time, several over its life. */
export type RunEvent =
  'job-started' | 'job-requeued' | 'stop-asked' | 'job-cancelled' | 'job-succeeded' | 'job-failed' | 'resumed';

const NEXT: Readonly<Record<RunState, Partial<Record<RunEvent, RunState>>>> = {
  queued: {
    'job-started': 'running',
    'job-requeued': 'queued',
    'stop-asked': 'stopping',
    'job-cancelled': 'cancelled',
    'job-succeeded': 'succeeded',
    'job-failed': 'failed',
  },
  running: {
    'job-started': 'running',
    'job-requeued': 'queued',
    'stop-asked': 'stopping',
    'job-cancelled': 'cancelled',
    'job-succeeded': 'succeeded',
    'job-failed': 'failed',
  },
  stopping: {
    'job-started': 'stopping',
    'stop-asked': 'stopping',
    'job-cancelled': 'cancelled',
    'job-succeeded': 'succeeded',
    'job-failed': 'failed',
  },
  paused: { resumed: 'queued' },
  failed: { resumed: 'queued' },
  cancelled: { resumed: 'queued' },
  succeeded: {},
};

/** `pausing` decides what a cancelled job makes of the run. */
export function nextRunState(state: RunState, event: RunEvent, pausing: boolean): RunState {
  const next = NEXT[state][event];
  if (next === undefined) {
    const what = event === 'resumed' ? 'resumed' : event === 'stop-asked' ? 'stopped' : event;
    throw new Problem('illegal-transition', { detail: `A run that is ${state} cannot be ${what}.` });
  }
  return event === 'job-cancelled' && pausing ? 'paused' : next;
}
