import { EXIT, type Finding } from '@trainyard/plugin-sdk';
import { UNKNOWN_MODEL, UNKNOWN_TASK } from '../../contract/run-trials.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trials } from '../../contract/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'unsupported';
const ASKED = [
  ['unsupported-model', `the model "${UNKNOWN_MODEL}"`],
  ['unsupported-task', `the task "${UNKNOWN_TASK}"`],
] as const;

/** What trainer.yaml does not list is refused with 69. */
export function checkUnsupported(trials: Trials): CheckResult {
  const findings: Finding[] = [];
  for (const [name, what] of ASKED) {
    const trial = trials.get(name);
    if (trial === null || wasCutOff(trial)) return { notRun: trials.cutShort ?? `the run "${name}" is missing` };
    if (exitCodeOf(trial) === EXIT.unsupported) continue;
    const message = `validate was asked for ${what} and ended with ${exitText(trial.exit)} instead of 69.`;
    const fix = 'Compare task and model with trainer.yaml first, and exit with 69 and the nearest known name.';
    findings.push(findingOf(ID, message, fix, { evidence: lastWords(trial) }));
  }
  return findings;
}
