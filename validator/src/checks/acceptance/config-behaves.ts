import type { Finding } from '@trainyard/plugin-sdk';
import type { AcceptanceTrials } from '../../acceptance/acceptance-trials.ts';
import { curveOf, lossDifference } from '../../acceptance/curves.ts';
import { exitCodeOf, exitText, lastWords } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'config-behaves';
const FIX = 'Pass the setting on to the framework: what it is called there is for the trainer to know.';

/** The common settings do what they say: epochs, batch, learning rate and seed each change what can be seen of a training. */
export function checkBehaviour(trials: AcceptanceTrials): CheckResult {
  const [base, varied] = [trials.get('base'), trials.get('varied')];
  if (base === null || varied === null) return { notRun: trials.cutShort ?? 'no trainings to compare' };
  for (const trial of [base, varied]) {
    if (exitCodeOf(trial) === 0) continue;
    const message = `A training on 24 pictures with ${JSON.stringify(trial === base ? trials.base : { ...trials.base, ...trials.varied })} ended with ${exitText(trial.exit)}.`;
    return [
      findingOf(ID, message.slice(0, 1000), 'Train with every value that the schema allows.', {
        evidence: lastWords(trial, 15),
      }),
    ];
  }
  const [before, after] = [curveOf(base), curveOf(varied)];
  const findings: Finding[] = [];
  const report = (key: string, message: string, evidence: string): void => {
    findings.push(
      findingOf(ID, message, FIX, { where: { file: 'config.schema.json', pointer: `/properties/${key}` }, evidence }),
    );
  };
  const { epochs, batch, learning_rate: rate } = trials.varied;
  if (typeof epochs === 'number' && Math.ceil(after.lastEpoch) !== epochs)
    report(
      'epochs',
      `"epochs" was ${epochs}, and the training had ${after.lastEpoch}.`,
      `last epoch ${after.lastEpoch}`,
    );
  if (
    typeof batch === 'number' &&
    before.stepsPerEpoch !== null &&
    after.stepsPerEpoch !== null &&
    after.stepsPerEpoch <= before.stepsPerEpoch
  )
    report(
      'batch',
      `"batch" was halved to ${batch}, but an epoch still has ${after.stepsPerEpoch} steps.`,
      `${before.stepsPerEpoch} steps before, ${after.stepsPerEpoch} after`,
    );
  if (
    typeof rate === 'number' &&
    before.peakRate !== null &&
    after.peakRate !== null &&
    Math.abs(after.peakRate - before.peakRate) < 1e-9 * before.peakRate + 1e-15
  )
    report(
      'learning_rate',
      `"learning_rate" was halved to ${rate}, but the highest rate is the same.`,
      `highest rate ${before.peakRate} both times`,
    );
  const other = trials.get('other-seed');
  if (other === null || exitCodeOf(other) !== 0) return findings;
  const difference = lossDifference(before, curveOf(other));
  if (difference === 0 && before.losses.length > 1)
    report(
      'seed',
      'Another "seed" gives the same losses.',
      `losses ${before.losses
        .slice(0, 5)
        .map(({ value }) => value)
        .join(', ')}`,
    );
  return findings;
}
