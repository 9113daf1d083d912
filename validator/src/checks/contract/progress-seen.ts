import type { Finding } from '@trainyard/plugin-sdk';
import { trainerEvents } from '../../trial/event-file.ts';
import { exitCodeOf, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'progress-seen';
const FIX = 'Report progress and metrics from the first epoch on, not only at the end.';

/** People see something from the first epoch on. */
export function checkProgress(trials: Trials): CheckResult {
  const trial = trials.get('train');
  if (trial === null || exitCodeOf(trial) !== 0) return { notRun: trials.cutShort ?? 'no training ran to its end' };
  const findings: Finding[] = [];
  const types = new Set(trainerEvents(trial.events).map((event) => event.type));
  for (const type of ['progress', 'metric'] as const) {
    if (!types.has(type)) findings.push(findingOf(ID, `One epoch reported no "${type}" event.`, FIX));
  }
  const long = trials.get('long');
  if (findings.length === 0 && long !== null && long.stop.asked && !long.stop.sawTraining) {
    const message = 'A longer training reported no metric and no checkpoint while it ran.';
    findings.push(findingOf(ID, message, FIX));
  }
  return findings;
}
