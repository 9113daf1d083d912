import { EXIT } from '@trainyard/plugin-sdk';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trials } from '../../contract/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'input-missing';

/** evaluate with a checkpoint that is not there ends with 66. */
export function checkInputMissing(trials: Trials): CheckResult {
  if (!trials.subject.manifest.capabilities.commands.includes('evaluate')) return [];
  const trial = trials.get('evaluate-absent');
  if (trial === null || wasCutOff(trial)) return { notRun: trials.cutShort ?? 'evaluate did not run' };
  if (exitCodeOf(trial) === EXIT.input) return [];
  const message = `evaluate was given an empty checkpoint folder and ended with ${exitText(trial.exit)} instead of 66.`;
  const fix = 'Compare the digest of the checkpoint with job.json before opening it, and exit with 66 when it differs.';
  return [findingOf(ID, message, fix, { evidence: lastWords(trial) })];
}
