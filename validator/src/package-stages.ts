import type { Finding, Stage, StageResult } from '@trainyard/plugin-sdk';
import { CHECKS, findCheck } from './checks/index.ts';

export const PACKAGE_STAGES = ['package', 'manifest', 'config'] as const satisfies readonly Stage[];

/** The stage of a finding; what is not in the table counts to the first stage, so that it blocks everything after it. */
export function stageOfFinding(finding: Finding): Stage {
  return findCheck(finding.check)?.stage ?? 'package';
}

/**
 * Findings of the one reading of a package → its three stages. `wholeReading`: the package could be read to its end, so checks without a finding
 * did run. Pure.
 */
export function packageStages(findings: readonly Finding[], wholeReading: boolean, seconds: number): StageResult[] {
  const results: StageResult[] = [];
  let broken: Stage | null = null;
  for (const stage of PACKAGE_STAGES) {
    const own = findings.filter((finding) => stageOfFinding(finding) === stage);
    const failed = own.some((finding) => finding.severity === 'error');
    if (broken !== null && own.length === 0 && !wholeReading) {
      results.push({ stage, state: 'skipped', seconds: 0, reason: `Waits for the stage ${broken}.`, checks: [] });
      continue;
    }
    const ids = wholeReading
      ? CHECKS.filter((check) => check.stage === stage).map((check) => check.id)
      : [...new Set(own.map((finding) => finding.check))];
    results.push({
      stage,
      state: failed ? 'failed' : 'passed',
      seconds: stage === 'package' ? seconds : 0,
      checks: ids,
    });
    if (failed) broken ??= stage;
  }
  return results;
}
