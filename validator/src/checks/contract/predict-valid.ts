import { listed } from '../../data/test-data.ts';
import { predictionFault } from '../../trial/predictions.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'predict-valid';
const FIX = 'Write output/predictions.jsonl: one line per picture of input/images, sorted by name, as evaluate does.';

/** predict on a folder gives one valid line per picture. */
export async function checkPredict(trials: Trials): Promise<CheckResult> {
  if (!trials.subject.manifest.capabilities.commands.includes('predict')) return [];
  const trial = trials.get('predict');
  if (trial === null || wasCutOff(trial))
    return { notRun: trials.cutShort ?? 'there was no checkpoint to predict with' };
  if (exitCodeOf(trial) !== 0) {
    const message = `predict on a folder of pictures ended with ${exitText(trial.exit)} instead of 0.`;
    return [findingOf(ID, message, FIX, { evidence: lastWords(trial, 15) })];
  }
  const wanted = listed(trials.data, 'val')
    .map((path) => path.replaceAll('/', '_'))
    .sort();
  const same = (said: string, name: string): boolean => said === name || said.endsWith(`/${name}`);
  const fault = await predictionFault(trial, trials.subject.task.predictions, trials.data, wanted, same);
  if (fault === null) return [];
  const message = `output/predictions.jsonl of predict, line ${fault.line}: ${fault.says}.`;
  return [
    findingOf(ID, message, FIX, {
      where: { file: 'output/predictions.jsonl', line: fault.line },
      evidence: fault.evidence,
    }),
  ];
}
