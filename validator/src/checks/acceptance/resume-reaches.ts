import type { AcceptanceTrials } from '../../acceptance/acceptance-trials.ts';
import { curveOf } from '../../acceptance/curves.ts';
import { exitCodeOf, exitText, lastWords } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'resume-reaches';

/** A training that was stopped and resumed ends at the same step as one in one go, and reports no step twice as the first one. */
export function checkResumedEnd(trials: AcceptanceTrials): CheckResult {
  const { capabilities } = trials.subject.manifest;
  if (capabilities.resume === 'none' || capabilities.stop === 'none') return [];
  const [first, resumed] = [trials.get('proof-first'), trials.get('proof-resumed')];
  if (first === null || resumed === null)
    return { notRun: trials.cutShort ?? 'the training could not be stopped in its middle' };
  const fix = 'Restore step, epoch, optimiser and schedule from the checkpoint, and train what is left.';
  if (exitCodeOf(resumed) !== 0) {
    if (resumed.exit.evidence.timedOut) return { notRun: 'the resumed training did not end in its time' };
    return [
      findingOf(ID, `The resumed training ended with ${exitText(resumed.exit)}.`, fix, {
        evidence: lastWords(resumed, 15),
      }),
    ];
  }
  const [before, after] = [curveOf(first), curveOf(resumed)];
  const { epochs } = trials.proofSettings;
  if (after.lastStep <= before.lastStep)
    return [
      findingOf(ID, `Stopped at step ${before.lastStep}, resumed, and it ended at step ${after.lastStep}.`, fix, {
        evidence: `last step ${after.lastStep}`,
      }),
    ];
  const [one, other] = [before.stepsPerEpoch, after.stepsPerEpoch];
  const perEpoch = one ?? other;
  const patience = trials.proofSettings['patience'];
  if (typeof epochs !== 'number' || perEpoch === null || (typeof patience === 'number' && patience > 0)) return [];
  const wanted = Math.round(perEpoch * epochs);
  if (Math.abs(after.lastStep - wanted) <= 1) return [];
  const message = `${epochs} epochs have ${wanted} steps; stopped and resumed it ended at step ${after.lastStep}.`;
  return [findingOf(ID, message, fix, { evidence: `last step ${after.lastStep} instead of ${wanted}` })];
}
