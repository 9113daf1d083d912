import type { Finding } from '@trainyard/plugin-sdk';
import { trainerEvents, type EventLine } from '../../trial/event-file.ts';
import type { Trial, Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'heartbeat';
const MOST_SECONDS = 30;

/** No run is silent for longer than thirty seconds: `usage` events come all the time, also while data are prepared. */
export function checkHeartbeat(trials: Trials): CheckResult {
  const judged = trials.all.filter(
    (trial) => !['describe', 'validate'].includes(trial.verb) && trial.name !== 'wall-limit',
  );
  if (judged.length === 0) return { notRun: trials.cutShort ?? 'nothing ran' };
  return judged.flatMap(judge);
}

function judge(trial: Trial): Finding[] {
  const fix = 'Send one at least every 30 seconds, from a thread of its own; the SDK does it.';
  return silences(trial.events)
    .slice(0, 1)
    .map(({ from, seconds }) => {
      const message = `The run "${trial.name}" sent no "usage" event for ${seconds} seconds.`;
      return findingOf(ID, message, fix, { evidence: `silent from ${from}` });
    });
}

/** Gaps between usage events, the first and the last event that are too long. Pure. */
export function silences(lines: readonly EventLine[]): { from: string; seconds: number }[] {
  const times = trainerEvents(lines).map((event) => ({ type: event.type, at: Date.parse(event.ts) }));
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return [];
  const beats = [first.at, ...times.filter(({ type }) => type === 'usage').map(({ at }) => at), last.at];
  return beats.flatMap((at, index) => {
    const seconds = Math.round(((beats[index + 1] ?? at) - at) / 1000);
    return seconds > MOST_SECONDS ? [{ from: new Date(at).toISOString(), seconds }] : [];
  });
}
