import { EXIT } from '@trainyard/plugin-sdk';
import type { AcceptanceTrials } from '../../acceptance/acceptance-trials.ts';
import { exitCodeOf, exitText, lastWords } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'stop-early';
const SECONDS = 5;
const SIGTERM_CODE = 143;

/** SIGTERM while things are being prepared ends the training soon: there is nothing to save yet. */
export function checkEarlyStop(trials: AcceptanceTrials): CheckResult {
  if (trials.subject.manifest.capabilities.stop === 'none' || trials.subject.endless === null) return [];
  const trial = trials.get('early');
  if (trial === null) return { notRun: trials.cutShort ?? 'no training ran' };
  if (!trial.stop.asked) return { notRun: 'it ended before it could be stopped' };
  const fix = 'Ask for the stop at every safe point of prepare as well, also between imports and while data are read.';
  const seconds = trial.stop.seconds ?? 0;
  const most = SECONDS * trials.factor + 1;
  if (trial.exit.evidence.killedByUs || seconds > most) {
    const message = `After SIGTERM during prepare it took ${seconds.toFixed(1)} seconds to end; ${most.toFixed(0)} are allowed here.`;
    const severe = trial.exit.evidence.killedByUs ? {} : { severity: 'warning' as const };
    return [findingOf(ID, message, fix, { ...severe, evidence: lastWords(trial) || `${seconds} s` })];
  }
  const code = exitCodeOf(trial);
  const signalled = trial.exit.kind === 'signal' && trial.exit.signal === 'SIGTERM';
  if (code === EXIT.stopped || code === SIGTERM_CODE || signalled) return [];
  return [
    findingOf(ID, `After SIGTERM during prepare it ended with ${exitText(trial.exit)} instead of 75.`, fix, {
      evidence: lastWords(trial),
    }),
  ];
}
