import { EXIT, type Finding } from '@trainyard/plugin-sdk';
import { answerNames } from '../../trial/trial-answer.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'input-missing';
const ASKED = [
  ['evaluate-absent', 'evaluate was given an empty checkpoint folder'],
  ['evaluate-cut', 'evaluate was given a checkpoint whose largest file is cut short'],
  ['weights-digest', 'train was given weights that are not the ones that were announced'],
  ['evaluate-other', 'evaluate was given a checkpoint that another version of the trainer made'],
] as const;

/** Inputs that are missing, damaged or made by another trainer end with 66. */
export function checkInputMissing(trials: Trials): CheckResult {
  if (!trials.first || !trials.subject.manifest.capabilities.commands.includes('evaluate')) return [];
  const first = trials.get('evaluate-absent');
  if (first === null || wasCutOff(first)) return { notRun: trials.cutShort ?? 'evaluate did not run' };
  const findings: Finding[] = [];
  for (const [name, what] of ASKED) {
    const trial = trials.get(name);
    if (trial === null) continue;
    if (exitCodeOf(trial) !== EXIT.input) {
      const message = `${what} and ended with ${exitText(trial.exit)} instead of 66.`;
      const fix =
        'Compare digest, trainer and version with job.json before opening it, and exit with 66 when they differ.';
      findings.push(findingOf(ID, message, fix, { evidence: lastWords(trial) }));
    } else if (name === 'evaluate-other' && !answerNames(trial, trials.subject.manifest.version)) {
      const message = `${what}; it refused but did not name both versions.`;
      findings.push(findingOf(ID, message, 'Name both in message or hint.', { evidence: lastWords(trial) }));
    }
  }
  return findings;
}
