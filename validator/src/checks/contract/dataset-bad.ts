import { EXIT, type Finding } from '@trainyard/plugin-sdk';
import { answerNames } from '../../trial/trial-answer.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trial, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'dataset-bad';

/** A good dataset is accepted; a broken one ends with 65, and the answer names what is broken. */
export function checkBadDataset(trials: Trials): CheckResult {
  const good = trials.get('validate');
  const all = trials.get('dataset-all');
  if (good === null || all === null || wasCutOff(all) || wasCutOff(good))
    return { notRun: trials.cutShort ?? 'no run with a broken dataset' };
  const findings: Finding[] = [];
  if (exitCodeOf(good) !== EXIT.finished) {
    const message = `validate was given a good dataset and ended with ${exitText(good.exit)} instead of 0.`;
    const fix =
      'Read dataset.json, the lists of its splits and the folders of its classes as the contract describes them.';
    findings.push(findingOf(ID, message, fix, { evidence: lastWords(good) }));
  }
  for (const fault of trials.datasetFaults) {
    const alone = trials.get(`dataset-${fault.name}`);
    if (alone === null && trials.cutShort !== null) continue;
    const trial = alone ?? all;
    if (exitCodeOf(trial) !== EXIT.dataset) {
      const message = `validate was given ${fault.says} and ended with ${exitText(trial.exit)} instead of 65.`;
      findings.push(findingOf(ID, message, `Find this in validate and exit with 65.`, { evidence: lastWords(trial) }));
    } else if (!answerNames(trial, fault.names)) {
      const message = `validate was given ${fault.says}; it refused but did not say where.`;
      findings.push(
        findingOf(ID, message, 'Name the path, split or class in message or hint.', { evidence: lastWords(trial) }),
      );
    } else if (fault.line !== undefined && !namesLine(trial, fault.names, fault.line)) {
      const message = `validate was given ${fault.says}; it named the file but not the line.`;
      const fix = 'Write the line behind the path: labels/train/0001.txt:2.';
      findings.push(findingOf(ID, message, fix, { severity: 'warning', evidence: lastWords(trial) }));
    }
  }
  return findings;
}

/** `path:2`, `path line 2`, or a field `line` near the path. */
function namesLine(trial: Trial, names: RegExp, line: number): boolean {
  return answerNames(
    trial,
    new RegExp(
      `(?:${names.source})(?::|[^\\n]{0,40}\\bline"?:? ?)${line}\\b|\\bline"?:? ?${line}\\b[^\\n]{0,200}(?:${names.source})`,
    ),
  );
}
