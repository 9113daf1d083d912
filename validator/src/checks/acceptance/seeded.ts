import type { AcceptanceTrials } from '../../acceptance/acceptance-trials.ts';
import { curveOf, lossDifference } from '../../acceptance/curves.ts';
import { exitCodeOf } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'seeded';
/** Of the loss: threads may add numbers up in another order. */
const SLACK = { seeded: 0.02, bitwise: 0 } as const;

/** Two trainings with the same seed are as equal as trainer.yaml says. */
export function checkSeed(trials: AcceptanceTrials): CheckResult {
  const { determinism } = trials.subject.manifest.capabilities;
  if (determinism === 'none') return [];
  const [base, again] = [trials.get('base'), trials.get('again')];
  if (base === null || again === null || exitCodeOf(base) !== 0 || exitCodeOf(again) !== 0)
    return { notRun: 'there were no two trainings with one seed' };
  const [one, other] = [curveOf(base), curveOf(again)];
  const difference = lossDifference(one, other);
  if (difference === null) return { notRun: 'no losses at the same steps' };
  const sameMetrics = determinism === 'seeded' || one.validation.join() === other.validation.join();
  if (difference <= (determinism === 'bitwise' ? SLACK.bitwise : SLACK.seeded) && sameMetrics) return [];
  const message = `Two trainings with one seed differ by ${(difference * 100).toPrecision(2)} % in their losses; declared is "${determinism}".`;
  const fix = 'Seed every source of chance, and shuffle from the seed; or declare less.';
  const where = { file: 'trainer.yaml', pointer: '/capabilities/determinism' };
  return [findingOf(ID, message, fix, { where, severity: 'warning', evidence: `relative difference ${difference}` })];
}
