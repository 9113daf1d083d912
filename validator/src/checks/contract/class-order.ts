import { EXIT, type Finding } from '@trainyard/plugin-sdk';
import { classCounts } from '../../contract/trial-data.ts';
import { readJsonOutput } from '../../trial/output-json.ts';
import { answerNames } from '../../trial/trial-answer.ts';
import { exitCodeOf, exitText, lastWords, type Trial, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'class-order';
const FIX = 'Use the order of "classes" in dataset.json everywhere; never sort names, never use the order of folders.';

/** Reports follow the class order of dataset.json, which is not the alphabetical one; a class that val lacks is a warning, no error. */
export async function checkClassOrder(trials: Trials): Promise<CheckResult> {
  const trial = trials.get('evaluate') ?? trials.get('train');
  if (trial === null || exitCodeOf(trial) !== 0) return { notRun: trials.cutShort ?? 'no training ran to its end' };
  return [...(await judgeMetrics(trials, trial)), ...judgePartial(trials)];
}

async function judgeMetrics(trials: Trials, trial: Trial): Promise<Finding[]> {
  const names = trials.data.file.classes.map(({ name }) => name);
  const counts = classCounts(trials.data, 'val');
  const metrics = await readJsonOutput(trial, 'output/metrics.json');
  const rows = Array.isArray(metrics?.['perClass']) ? metrics['perClass'] : [];
  for (const row of rows) {
    const { index, name, support } =
      typeof row === 'object' && row !== null ? { index: null, name: null, support: null, ...row } : {};
    if (typeof index !== 'number') continue;
    const evidence = JSON.stringify(row).slice(0, 200);
    const where = { file: 'output/metrics.json', pointer: '/perClass' };
    if (name !== names[index])
      return [
        findingOf(
          ID,
          `Class ${index} is called "${String(name)}"; dataset.json says "${names[index] ?? 'nothing'}".`,
          FIX,
          { where, evidence },
        ),
      ];
    if (counts !== null && typeof support === 'number' && support !== counts[index])
      return [
        findingOf(
          ID,
          `Class ${index} ("${names[index]}") is said to occur ${support} times in val; it does ${counts[index]} times.`,
          FIX,
          { where, evidence },
        ),
      ];
  }
  const confusion = metrics?.['confusion'];
  const labels = typeof confusion === 'object' && confusion !== null && 'labels' in confusion ? confusion.labels : null;
  const wrong = Array.isArray(labels) ? names.findIndex((name, at) => labels[at] !== name) : -1;
  if (wrong < 0) return [];
  const where = { file: 'output/metrics.json', pointer: '/confusion/labels' };
  return [
    findingOf(ID, `The confusion matrix has another class order than dataset.json.`, FIX, {
      where,
      evidence: JSON.stringify(labels),
    }),
  ];
}

function judgePartial(trials: Trials): Finding[] {
  const trial = trials.get('validate-partial');
  if (trial === null) return [];
  if (exitCodeOf(trial) !== EXIT.finished) {
    const message = `validate was given data whose val lacks a class and ended with ${exitText(trial.exit)} instead of 0.`;
    return [findingOf(ID, message, 'Warn with class_missing_in_val and go on.', { evidence: lastWords(trial) })];
  }
  if (answerNames(trial, 'class_missing_in_val')) return [];
  const message = 'validate was given data whose val lacks a class and did not warn with class_missing_in_val.';
  return [findingOf(ID, message, 'Warn with class_missing_in_val and go on.')];
}
