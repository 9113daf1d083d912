import type { Finding } from '@trainyard/plugin-sdk';
import { trainerEvents } from '../../trial/event-file.ts';
import type { Trial, Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'limit-exceeded';

/** No run hangs, floods, or takes more than it is given. */
export function checkLimits(trials: Trials): CheckResult {
  if (trials.all.length === 0) return { notRun: 'nothing ran' };
  return trials.all.flatMap((trial) => judge(trial));
}

function judge(trial: Trial): Finding[] {
  const seen = trial.exit.evidence;
  const report = (what: string, fix: string): Finding[] => [findingOf(ID, `The run "${trial.name}" ${what}.`, fix)];
  // That one is given too little time on purpose; the check wall-limit looks at it.
  if (trial.name === 'wall-limit') return [];
  const meant = trial.stop.asked;
  if (seen.timedOut || (endedByItsLimit(trial) && !meant)) {
    return report(
      `did not end within ${trial.maxSeconds} seconds`,
      'End every verb by itself, and keep one epoch on 32 small pictures short on a processor.',
    );
  }
  if (seen.outOfMemory)
    return report('used more memory than 8 GiB', 'Use a small model as probe, and smaller batches.');
  if (seen.diskQuota)
    return report(
      `wrote more than ${Math.round(trial.maxDiskBytes / 1024 ** 2)} MiB to its folders and its log`,
      'Log less, and keep only best and last.',
    );
  if (seen.tooManyProcesses) return report('started too many processes', 'Start a bounded number of workers.');
  if (seen.silent) return report('said nothing for too long', 'Emit usage events at least every 30 seconds.');
  if (trial.eventsProblem === 'too-large')
    return report(
      'wrote more than 16 MiB of events',
      'Emit at most ten metric events and two progress events a second.',
    );
  return [];
}

/** A polite trainer watches `limits.maxSeconds` itself. */
function endedByItsLimit(trial: Trial): boolean {
  return trainerEvents(trial.events).some((event) => event.type === 'stopped' && event.reason === 'limit');
}
