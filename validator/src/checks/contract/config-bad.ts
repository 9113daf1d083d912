import { EXIT, type Finding } from '@trainyard/plugin-sdk';
import { answerNames } from '../../trial/trial-answer.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'config-bad';

/** Settings outside the schema end with 78, and the answer names the key. */
export function checkBadConfig(trials: Trials): CheckResult {
  const all = trials.get('config-all');
  if (all === null || wasCutOff(all)) return { notRun: trials.cutShort ?? 'no run with wrong settings' };
  const findings: Finding[] = [];
  for (const wrong of trials.wrongSettings) {
    // Tried alone only when trying all at once did not satisfy.
    const alone = trials.get(`config-${wrong.name}`);
    const named = exitCodeOf(all) === EXIT.config && answerNames(all, wrong.key);
    // Not tried alone because an end was made before: that says nothing about this setting.
    if (alone === null && (named || trials.cutShort !== null)) continue;
    const trial = alone ?? all;
    const where = {
      file: 'config.schema.json',
      pointer: wrong.name === 'unknown-key' ? '' : `/properties/${wrong.key}`,
    };
    if (exitCodeOf(trial) !== EXIT.config) {
      const message = `validate was given ${wrong.says} and ended with ${exitText(trial.exit)} instead of 78.`;
      const fix = `Check the settings against config.schema.json before any work, and exit with 78 naming "${wrong.key}".`;
      findings.push(findingOf(ID, message, fix, { where, evidence: lastWords(trial) }));
    } else if (!answerNames(trial, wrong.key)) {
      const message = `validate was given ${wrong.says}; it refused but did not name "${wrong.key}".`;
      findings.push(findingOf(ID, message, 'Name the key in message or hint.', { where, evidence: lastWords(trial) }));
    }
  }
  return findings;
}
