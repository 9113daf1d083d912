import type { Finding, Level, Stage, StageResult, TaskProof, Verdict } from '@trainyard/plugin-sdk';
import { CHECKS, findCheck } from './checks/index.ts';
import type { Policy } from './policy.ts';

const WORST_FIRST: readonly Verdict[] = ['rejected', 'quarantined', 'inconclusive', 'passed'];

export interface Judged {
  readonly findings: readonly Finding[];
  readonly stages: readonly StageResult[];
  /** The manifest declares an image: stages about images can then not be waived. */
  readonly hasImage: boolean;
}

/** Worst over enforced checks. A required check or stage that did not run is never a pass. Pure. */
export function verdictOf({ findings, stages, hasImage }: Judged, policy: Policy): Verdict {
  const verdicts: Verdict[] = ['passed'];
  for (const finding of findings) {
    if (finding.severity !== 'error') continue;
    const check = findCheck(finding.check);
    // An error of a check that is not in the table is a mistake of ours, and no reason to pass.
    if (check === null) verdicts.push('inconclusive');
    else if (check.enforced && check.act !== 'none') verdicts.push(check.act);
  }
  const ran = new Set(stages.flatMap((stage) => stage.checks));
  for (const { stage, state } of stages) {
    if (isWaived(stage, hasImage, policy)) continue;
    if (state !== 'passed' && state !== 'failed') verdicts.push('inconclusive');
  }
  for (const check of CHECKS) {
    if (check.required && !ran.has(check.id) && !isWaived(check.stage, hasImage, policy)) verdicts.push('inconclusive');
  }
  return WORST_FIRST.find((verdict) => verdicts.includes(verdict)) ?? 'inconclusive';
}

function isWaived(stage: Stage, hasImage: boolean, policy: Policy): boolean {
  if (hasImage && (stage === 'image' || stage === 'scan')) return false;
  return policy.waived.includes(stage);
}

const LEVELS: readonly Level[] = ['none', 'L0', 'L1', 'L2', 'L3'];

/** L0 when package, manifest and config passed; above that the highest level that holds for every task, L1 only where the contract passed. Pure. */
export function levelOf(stages: readonly StageResult[], tasks: readonly TaskProof[] = []): Level {
  const passed = (...names: readonly Stage[]): boolean =>
    names.every((name) => stages.some(({ stage, state }) => stage === name && state === 'passed'));
  if (!passed('package', 'manifest', 'config')) return 'none';
  if (!passed('contract')) return 'L0';
  const lowest = Math.min(...tasks.map(({ level }) => LEVELS.indexOf(level)), LEVELS.length - 1);
  return tasks.length === 0 ? 'L1' : (LEVELS[lowest] ?? 'L1');
}
