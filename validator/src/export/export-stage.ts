import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClaimProof, Finding, StageResult } from '@trainyard/plugin-sdk';
import type { Checkers } from '@trainyard/runner/verify';
import type { AcceptedTask } from '../acceptance/acceptance-stage.ts';
import { isNotRun } from '../checks/check.ts';
import { EXPORT_CHECKS } from '../checks/index.ts';
import type { ContractOptions } from '../contract/contract-stage.ts';
import { limitsHere } from '../trial/run-trial.ts';
import { claimsFor, tryExport, type ExportTrial } from './export-trials.ts';

export interface ExportedTask {
  readonly task: string;
  readonly findings: readonly Finding[];
  readonly claims: readonly ClaimProof[];
  /** Every claim that can be checked is proven. */
  readonly passed: boolean;
  readonly reason: string | null;
  readonly seconds: number;
}

const TOTAL_DISK = 4 * 1024 ** 3;

async function keep(
  { keepExports, content }: ContractOptions,
  { trial, task, claim, metadata }: ExportTrial,
): Promise<void> {
  if (keepExports === undefined || trial === null || metadata === null) return;
  const name = `${content.manifest.name.split('/').at(-1)}-${task}-${claim.format}`;
  await cp(join(trial.jobFolder, 'output', 'export'), join(keepExports, name), { recursive: true, force: true });
}

/** Every export claim of a task in every precision, one after the other. */
export async function exportTask(
  options: ContractOptions,
  accepted: AcceptedTask,
  checkers: Checkers | null,
): Promise<ExportedTask> {
  const begun = performance.now();
  const { backend, installation, signal } = options;
  const limits = {
    ...(options.limits ?? limitsHere(options.content.manifest.resources?.grace)),
    diskBytes: TOTAL_DISK,
  };
  const deps = { backend, installation, root: accepted.root, limits, signal, checkers };
  const findings: Finding[] = [];
  const claims: ClaimProof[] = [];
  for (const wish of claimsFor(accepted.trials)) {
    const tried = await tryExport(deps, accepted.trials, wish, options.onTrial ?? (() => undefined));
    await keep(options, tried);
    const found = await judge(tried);
    findings.push(...found);
    claims.push(claimOf(tried, found));
  }
  const refuted = claims.find(({ state }) => state === 'refuted');
  const open = claims.find(({ state, reason }) => state === 'declared' && !isBeyond(reason));
  const reason =
    claims.length === 0
      ? 'It claims no export.'
      : refuted !== undefined
        ? `${refuted.value}: ${refuted.reason}`
        : open === undefined
          ? null
          : `${open.value}: ${open.reason}`;
  return {
    task: accepted.proof.task,
    findings,
    claims,
    passed: reason === null,
    reason,
    seconds: Math.round((performance.now() - begun) / 100) / 10,
  };
}

/** What nothing on this machine could check; what is merely not prepared could be. */
function isBeyond(reason: string | undefined): boolean {
  return reason !== undefined && !reason.includes('not prepared');
}

async function judge(tried: ExportTrial): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { run } of EXPORT_CHECKS) {
    const result = await run(tried);
    if (!isNotRun(result)) findings.push(...result);
  }
  return findings;
}

function claimOf(tried: ExportTrial, findings: readonly Finding[]): ClaimProof {
  const { claim, precision, check, accuracy, task, bytes, seconds } = tried;
  const against = findings.find(({ severity }) => severity === 'error');
  const state = against !== undefined ? 'refuted' : check?.state === 'proven' ? 'proven' : 'declared';
  const tolerances = check?.outputs.flatMap((output) => (output.tolerance === null ? [] : [output.tolerance])) ?? [];
  const figures: Record<string, number> = {
    ...(check?.maxAbs == null || !Number.isFinite(check.maxAbs) ? {} : { maxAbs: check.maxAbs }),
    ...(tolerances.length === 0 ? {} : { tolerance: Math.max(...tolerances) }),
    ...(check?.agreement == null ? {} : { agreement: check.agreement }),
    ...('reason' in accuracy ? {} : { metricDrop: accuracy.checkpoint - accuracy.exported }),
    ...(check?.milliseconds == null ? {} : { milliseconds: check.milliseconds }),
    ...(bytes === 0 ? {} : { bytes }),
  };
  const reason =
    against?.message ??
    (state === 'declared' ? (tried.impossible ?? check?.reason ?? 'It was not checked.') : undefined);
  return {
    ...{ claim: 'export', value: claim.format, task, precision, state, figures, seconds },
    ...(check === null || check.runtime === '' ? {} : { runtime: check.runtime }),
    ...(reason === undefined || reason === null ? {} : { reason }),
  };
}

export function exportResult(tasks: readonly ExportedTask[]): Omit<StageResult, 'seconds'> {
  const reasons = tasks.flatMap(({ task, reason }) => (reason === null ? [] : [`${task}: ${reason}`]));
  const passed = tasks.length > 0 && tasks.every((task) => task.passed);
  const failed = tasks.some(({ findings }) => findings.some(({ severity }) => severity === 'error'));
  return {
    stage: 'export',
    state: failed ? 'failed' : passed ? 'passed' : 'skipped',
    ...(reasons.length === 0 ? {} : { reason: reasons.join(' ').slice(0, 1000) }),
    checks: EXPORT_CHECKS.map(({ check }) => check.id),
  };
}
