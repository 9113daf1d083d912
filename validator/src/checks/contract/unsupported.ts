import { EXIT, type Finding } from '@trainyard/plugin-sdk';
import { UNKNOWN_DATASET_FORMAT, UNKNOWN_FORMAT, UNKNOWN_MODEL, UNKNOWN_TASK } from '../../contract/refused-trials.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'unsupported';
/** With whether the trial is always made; the others need a checkpoint and an export claim. */
const ASKED = [
  ['unsupported-model', `the model "${UNKNOWN_MODEL}"`, true],
  ['unsupported-task', `the task "${UNKNOWN_TASK}"`, true],
  ['unsupported-dataset-format', `a dataset in the format "${UNKNOWN_DATASET_FORMAT}"`, true],
  ['unsupported-device', 'a graphics card that is not there', true],
  ['unsupported-format', `an export as "${UNKNOWN_FORMAT}"`, false],
  ['unsupported-precision', 'an export in a precision that is not claimed', false],
] as const;

/** What trainer.yaml does not list, and what is not there, is refused with 69. */
export function checkUnsupported(trials: Trials): CheckResult {
  if (!trials.first) return [];
  const findings: Finding[] = [];
  for (const [name, what, always] of ASKED) {
    const trial = trials.get(name);
    if (trial === null && !always && trials.cutShort === null) continue;
    if (trial === null || wasCutOff(trial)) return { notRun: trials.cutShort ?? `the run "${name}" is missing` };
    const code = exitCodeOf(trial);
    // A dataset in a strange format is as much a bad dataset.
    if (code === EXIT.unsupported || (name === 'unsupported-dataset-format' && code === EXIT.dataset)) continue;
    const message = `${trial.verb} was asked for ${what} and ended with ${exitText(trial.exit)} instead of 69.`;
    const fix = 'Compare the job with trainer.yaml and the machine first, and exit with 69 and the nearest known name.';
    findings.push(findingOf(ID, message, fix, { evidence: lastWords(trial) }));
  }
  return findings;
}
