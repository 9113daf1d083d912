import type { Finding } from '@trainyard/plugin-sdk';
import type { Trial, Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'event-file';
const FIX =
  'Open output/events.jsonl for appending and write each event with one call, whole and with its line break; or use the SDK. Everything else goes to stdout or stderr.';
const MOST_PER_TRIAL = 3;

/** Every line of events.jsonl is whole and by one writer, whatever else the framework prints. */
export function checkEventFile(trials: Trials): CheckResult {
  const judged = trials.all.filter((trial) => trial.eventsProblem === null && trial.events.length > 0);
  if (judged.length === 0) return { notRun: trials.cutShort ?? 'no run wrote events' };
  return judged.flatMap((trial) => judge(trial).slice(0, MOST_PER_TRIAL));
}

function judge(trial: Trial): Finding[] {
  return trial.events.flatMap((line) => {
    if (line.event !== null) return [];
    const message = `In the run "${trial.name}": line ${line.line} of events.jsonl is no event: ${line.reason}.`;
    return [
      findingOf(ID, message, FIX, { where: { file: 'output/events.jsonl', line: line.line }, evidence: line.text }),
    ];
  });
}
