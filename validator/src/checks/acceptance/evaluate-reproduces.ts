import type { AcceptanceTrials } from '../../acceptance/acceptance-trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'evaluate-reproduces';
const SLACK = 1e-3;

/** evaluate of the best checkpoint says what the training said at its end. */
export function checkReproduction(trials: AcceptanceTrials): CheckResult {
  const { reported, evaluated, primary } = trials;
  if (reported === null || evaluated === null) return { notRun: 'the training or evaluate reported no value' };
  if (Math.abs(reported - evaluated) <= SLACK) return [];
  const message = `The training ended with ${primary.name} ${reported.toFixed(4)}; evaluate of its best checkpoint says ${evaluated.toFixed(4)}.`;
  const fix = 'End the training with an evaluation of the best checkpoint, with the same preprocessing as evaluate.';
  return [
    findingOf(ID, message, fix, { where: { file: 'output/metrics.json' }, evidence: `${reported} and ${evaluated}` }),
  ];
}
