import type { Finding } from '@trainyard/plugin-sdk';
import { trainerEvents } from '../../trial/event-file.ts';
import type { Trial, Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'heartbeat';
const MOST_SECONDS = 30;

/** No run is silent for longer than thirty seconds: `usage` events come all the time, also while data are prepared. */
export function checkHeartbeat(trials: Trials): CheckResult {
  const judged = trials.all.filter((trial) => trial.verb !== 'describe' && trial.verb !== 'validate');
  if (judged.length === 0) return { notRun: trials.cutShort ?? 'nothing ran' };
  return judged.flatMap(judge);
}

function judge(trial: Trial): Finding[] {
  const times = trainerEvents(trial.events).map((event) => ({ type: event.type, at: Date.parse(event.ts) }));
  const [first] = times;
  const last = times.at(-1);
  if (first === undefined || last === undefined) return [];
  const beats = [first.at, ...times.filter(({ type }) => type === 'usage').map(({ at }) => at), last.at];
  for (const [index, at] of beats.entries()) {
    const gap = ((beats[index + 1] ?? at) - at) / 1000;
    if (gap <= MOST_SECONDS) continue;
    const message = `The run "${trial.name}" sent no "usage" event for ${Math.round(gap)} seconds.`;
    const fix = 'Send one at least every 30 seconds, from a thread of its own; the SDK does it.';
    return [findingOf(ID, message, fix, { evidence: `silent from ${new Date(at).toISOString()}` })];
  }
  return [];
}
