import type { RunShape, WaitReason } from '@trainyard/plugin-sdk/api';

/** Pure: the state of a run in words. */

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

export function durationWords(seconds: number): string {
  if (seconds < 90) return counted(Math.max(1, Math.round(seconds)), 'second');
  if (seconds < 5400) return counted(Math.round(seconds / 60), 'minute');
  return counted(Math.round(seconds / 3600), 'hour');
}

export interface SentenceFacts {
  readonly state: string;
  readonly phase: string | null;
  readonly phaseSentence: string | null;
  readonly waiting: WaitReason | null;
  readonly progress: RunShape['progress'];
  readonly stopWhat: string | null;
  readonly failure: string | null;
  readonly seconds: number | null;
}

/** Trainers count finished epochs; people say which one is under way. */
function shownProgress(progress: NonNullable<RunShape['progress']>): number {
  const done = Math.floor(progress.current);
  if (progress.unit !== 'epoch') return done;
  return progress.total === null ? done + 1 : Math.min(done + 1, Math.round(progress.total));
}

export function runSentence(facts: SentenceFacts): string {
  switch (facts.state) {
    case 'queued':
      return facts.waiting?.sentence ?? facts.phaseSentence ?? 'Waiting for a runner.';
    case 'running': {
      if (facts.waiting?.code === 'runner.silent') return facts.waiting.sentence;
      const parts = ['Running'];
      if (facts.progress !== null) {
        const total = facts.progress.total === null ? '' : ` of ${Math.round(facts.progress.total)}`;
        parts.push(`${facts.progress.unit} ${shownProgress(facts.progress)}${total}`);
        if (facts.progress.etaSeconds !== null && facts.progress.etaSeconds > 0)
          parts.push(`about ${durationWords(facts.progress.etaSeconds)} left`);
      }
      return `${parts.join(', ')}.`;
    }
    case 'stopping':
      return facts.stopWhat === 'pause' ? 'Pausing: saving a checkpoint.' : 'Stopping: saving a checkpoint.';
    case 'paused':
      return 'Paused. Resume goes on from the last checkpoint.';
    case 'cancelled':
      return 'Stopped. The last checkpoint is kept.';
    case 'failed':
      return facts.failure ?? 'Failed.';
    default:
      return facts.seconds === null ? 'Finished.' : `Finished in ${durationWords(facts.seconds)}.`;
  }
}
