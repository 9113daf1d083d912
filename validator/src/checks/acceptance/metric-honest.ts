import type { AcceptanceTrials } from '../../acceptance/acceptance-trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'metric-honest';
const SLACK = 0.02;

/** What evaluate reports is what its predictions give. */
export function checkHonesty(trials: AcceptanceTrials): CheckResult {
  const { recomputed, evaluated, subject } = trials;
  if (recomputed === null || 'problem' in recomputed)
    return { notRun: 'there were no predictions to compute a metric from' };
  const names = new Set([trials.primary.name, subject.task.metrics.primary]);
  return [...names].flatMap((name) => {
    const ours = recomputed.metrics[name];
    const theirs = name === trials.primary.name ? evaluated : null;
    if (ours === undefined || theirs === null || Math.abs(ours - theirs) <= SLACK) return [];
    // Turned boxes may be scored as Gaussians instead of by their overlap; the floor is always judged by overlap.
    const asGaussians = recomputed.metrics[`x/probiou_${name}`];
    if (asGaussians !== undefined && Math.abs(asGaussians - theirs) <= SLACK) return [];
    const message = `evaluate reports ${name} ${theirs.toFixed(4)}; its predictions give ${ours.toFixed(4)}.`;
    const fix =
      'Compute the metric from the same predictions that are written, with the definitions of the plugin guide.';
    return [
      findingOf(ID, message, fix, {
        where: { file: 'output/metrics.json', pointer: `/metrics/${name}` },
        evidence: `"${name}": ${theirs}`,
      }),
    ];
  });
}
