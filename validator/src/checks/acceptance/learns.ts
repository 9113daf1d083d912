import type { AcceptanceTrials } from '../../acceptance/acceptance-trials.ts';
import { exitCodeOf, exitText, lastWords } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'learns';

/** The probe model reaches the floor in its time, by our own metric. Too little is no lie: it lowers the level. */
export function checkLearning(trials: AcceptanceTrials): CheckResult {
  const { proof, primary, recomputed } = trials;
  const task = trials.subject.task.id;
  if (proof === null) return { notRun: trials.cutShort ?? 'no training ran' };
  const fix = `Add a preset "proof-${task}" with which the probe model learns small pictures in ${Math.round(trials.timeBox)} seconds on one core.`;
  if (exitCodeOf(proof) !== 0) {
    const what = proof.exit.evidence.timedOut
      ? `did not end within ${Math.round(trials.timeBox)} seconds`
      : `ended with ${exitText(proof.exit)} after ${Math.round(proof.seconds)} seconds`;
    return [
      findingOf(ID, `The training that has to show that it learns ${what}.`, fix, {
        severity: 'warning',
        evidence: lastWords(proof, 15),
      }),
    ];
  }
  if (recomputed === null) {
    const evaluate = trials.get('proof-evaluate');
    const message =
      evaluate === null ? 'There was no checkpoint to evaluate.' : `evaluate ended with ${exitText(evaluate.exit)}.`;
    const more = evaluate === null ? {} : { evidence: lastWords(evaluate, 15) };
    return [
      findingOf(ID, message, 'Leave a best checkpoint that evaluate can read.', { severity: 'warning', ...more }),
    ];
  }
  if ('problem' in recomputed)
    return [
      findingOf(
        ID,
        `The metric cannot be computed from the predictions: ${recomputed.problem}`,
        'See predictions.jsonl in the plugin guide.',
      ),
    ];
  const value = recomputed.metrics[primary.name] ?? 0;
  if (value >= primary.floor) return [];
  const message = `The probe model reached ${primary.name} ${value.toFixed(3)}; ${primary.floor} is needed.`;
  return [
    findingOf(ID, message, fix, {
      severity: 'warning',
      evidence: `${primary.name} ${value} after ${Math.round(proof.seconds)} s`,
    }),
  ];
}
