import { listed } from '../../data/test-data.ts';
import { asRecord, readJsonOutput } from '../../trial/output-json.ts';
import { predictionFault } from '../../trial/predictions.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'evaluate-valid';
const FIX = 'Write output/metrics.json and output/predictions.jsonl: one line per picture, in the order of the list.';

/** evaluate from the checkpoint of the training gives its metrics and one prediction per picture. */
export async function checkEvaluate(trials: Trials): Promise<CheckResult> {
  if (!trials.subject.manifest.capabilities.commands.includes('evaluate')) return [];
  const trial = trials.get('evaluate');
  if (trial === null || wasCutOff(trial)) return { notRun: trials.cutShort ?? 'there was no checkpoint to evaluate' };
  if (exitCodeOf(trial) !== 0) {
    const message = `evaluate from the checkpoint of a training ended with ${exitText(trial.exit)} instead of 0.`;
    return [findingOf(ID, message, FIX, { evidence: lastWords(trial, 15) })];
  }
  const { metrics, predictions } = trials.subject.task;
  const values = asRecord((await readJsonOutput(trial, 'output/metrics.json'))?.['metrics']);
  const findings =
    typeof values?.[metrics.primary] === 'number'
      ? []
      : [findingOf(ID, `output/metrics.json has no number for the metric "${metrics.primary}".`, FIX)];
  const wanted = listed(trials.data, 'val');
  const fault = await predictionFault(trial, predictions, trials.data, wanted, (said, name) => said === name);
  if (fault !== null) {
    const message = `output/predictions.jsonl does not hold one line for each of the ${wanted.length} pictures, in the order of the list: ${fault.says}.`;
    const where = { file: 'output/predictions.jsonl', line: fault.line };
    findings.push(findingOf(ID, message, FIX, { where, evidence: fault.evidence }));
  }
  return findings;
}
