import { COMMON_METRICS, type Finding } from '@trainyard/plugin-sdk';
import { trainerEvents } from '../../trial/event-file.ts';
import { exitCodeOf, exitText, lastWords, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'metrics-declared';
const WHERE = { file: 'trainer.yaml', pointer: '/tasks' };

/** A training on good data succeeds, and reports exactly the metrics that trainer.yaml declares. */
export function checkMetrics(trials: Trials): CheckResult {
  const trial = trials.get('train');
  if (trial === null) return { notRun: trials.cutShort ?? 'no training ran' };
  if (exitCodeOf(trial) !== 0) {
    const message = `One epoch on a small good dataset ended with ${exitText(trial.exit)} instead of exit code 0.`;
    const fix = 'Run `trainyard dev` in the folder of the trainer: it trains on the same data.';
    return [findingOf(ID, message, fix, { evidence: lastWords(trial, 15) })];
  }
  const finite = new Set<string>();
  const seen = new Set<string>();
  for (const event of trainerEvents(trial.events)) {
    const values = event.type === 'metric' ? event.values : event.type === 'finished' ? event.metrics : {};
    for (const [name, value] of Object.entries(values)) {
      seen.add(name);
      if (value !== null) finite.add(name);
    }
  }
  const { task } = trials.subject;
  const declared = task.metrics.declared.map((metric) => (typeof metric === 'string' ? metric : metric.name));
  const findings: Finding[] = [];
  for (const name of new Set([task.metrics.primary, ...declared])) {
    if (finite.has(name)) continue;
    const message = seen.has(name)
      ? `The metric "${name}" was never a finite number in one epoch.`
      : `The metric "${name}" is declared but was not reported in one epoch.`;
    findings.push(findingOf(ID, message, `Report "${name}", or remove it from "declared".`, { where: WHERE }));
  }
  for (const name of seen) {
    if (isAllowed(name, declared)) continue;
    const message = `The metric "${name}" was reported but is not declared.`;
    const fix = `Add "${name}" to "declared", or give it a name of your own: "x/${name}".`;
    findings.push(findingOf(ID, message, fix, { where: WHERE }));
  }
  return findings;
}

/** Declared, common to all, of one class of a declared one (`ap50/class/3`), or the author's own (`x/…`). */
function isAllowed(name: string, declared: readonly string[]): boolean {
  const [base = ''] = name.split('/class/');
  return declared.includes(base) || name.startsWith('x/') || COMMON_METRICS.some((common) => common === base);
}
