import { EXIT } from '@trainyard/plugin-sdk';
import { trainerEvents } from '../../trial/event-file.ts';
import { exitCodeOf, exitText, lastWords, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'wall-limit';
const FIX = 'Watch job.limits.maxSeconds yourself: save, emit "stopped" with the reason "limit", and exit with 75.';

/** A training stops by itself when its time is over. */
export function checkWallLimit(trials: Trials): CheckResult {
  if (!trials.first || trials.subject.manifest.capabilities.stop === 'none') return [];
  const trial = trials.get('wall-limit');
  if (trial === null) return { notRun: trials.cutShort ?? 'no training ran against the clock' };
  if (trial.exit.evidence.timedOut)
    return [
      findingOf(ID, `A training went on for ${Math.round(trial.seconds)} seconds although its limit was shorter.`, FIX),
    ];
  if (exitCodeOf(trial) !== EXIT.stopped) {
    const message = `A training whose time was over ended with ${exitText(trial.exit)} instead of exit code 75.`;
    return [findingOf(ID, message, FIX, { evidence: lastWords(trial) })];
  }
  const stopped = trainerEvents(trial.events).find((event) => event.type === 'stopped');
  if (stopped?.reason === 'limit') return [];
  return [
    findingOf(ID, `A training whose time was over says it stopped because of "${stopped?.reason ?? 'nothing'}".`, FIX),
  ];
}
