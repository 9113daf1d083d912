import { trainerEvents } from './event-file.ts';
import type { Trial } from './trials.ts';

/** Everything a trainer says about a refusal: the document on stdout, the failed event, its last words. */
export function answerOf(trial: Trial): string {
  const events = trainerEvents(trial.events).flatMap((event) =>
    event.type === 'failed' ? [event.message, event.hint ?? ''] : [],
  );
  return [trial.stdout, ...events, trial.stderrTail].join('\n');
}

export function answerNames(trial: Trial, name: string | RegExp): boolean {
  const answer = answerOf(trial);
  return typeof name === 'string' ? answer.includes(name) : name.test(answer);
}
