import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openOutput } from '@trainyard/runner/work';
import { exitCodeOf, exitText, lastWords, type Trial, type Trials } from '../../contract/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'evaluate-valid';
const MOST_BYTES = 16 * 1024 * 1024;
const FIX = 'Write output/metrics.json and output/predictions.jsonl: one line per picture, in the order of the list.';

/** evaluate from the checkpoint of the training gives its metrics and one prediction per picture. */
export async function checkEvaluate(trials: Trials): Promise<CheckResult> {
  if (!trials.subject.manifest.capabilities.commands.includes('evaluate')) return [];
  const trial = trials.get('evaluate');
  if (trial === null) return { notRun: trials.cutShort ?? 'there was no checkpoint to evaluate' };
  if (exitCodeOf(trial) !== 0) {
    const message = `evaluate from the checkpoint of a training ended with ${exitText(trial.exit)} instead of 0.`;
    return [findingOf(ID, message, FIX, { evidence: lastWords(trial, 15) })];
  }
  const { primary } = trials.subject.task.metrics;
  const metrics = parse(await readOutput(trial, 'output/metrics.json'));
  const values = isRecord(metrics) && isRecord(metrics['metrics']) ? metrics['metrics'] : {};
  const findings =
    typeof values[primary] === 'number'
      ? []
      : [findingOf(ID, `output/metrics.json has no number for the metric "${primary}".`, FIX)];
  const wanted = (await readFile(join(trial.jobFolder, 'dataset', 'val.txt'), 'utf8')).trim().split('\n');
  const lines = ((await readOutput(trial, 'output/predictions.jsonl')) ?? '').trim().split('\n');
  const images = lines.map((line) => {
    const prediction = parse(line);
    return isRecord(prediction) ? prediction['image'] : null;
  });
  const wrong = wanted.findIndex((path, at) => images[at] !== path);
  if (wrong >= 0 || images.length !== wanted.length) {
    const message = `output/predictions.jsonl does not hold one line for each of the ${wanted.length} pictures, in the order of the list.`;
    const evidence =
      wrong < 0
        ? `${images.length} lines`
        : `line ${wrong + 1}: ${JSON.stringify(images[wrong] ?? null)} instead of ${JSON.stringify(wanted[wrong])}`;
    findings.push(findingOf(ID, message, FIX, { where: { file: 'output/predictions.jsonl' }, evidence }));
  }
  return findings;
}

async function readOutput(trial: Trial, path: string): Promise<string | null> {
  const file = await openOutput(trial.jobFolder, path).catch(() => null);
  if (file === null) return null;
  try {
    return (await file.stat()).size > MOST_BYTES ? null : await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
