import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId, type Finding, type StageResult } from '@trainyard/plugin-sdk';
import type { PackageContent } from '@trainyard/plugin-sdk/package';
import type { Backend } from '@trainyard/runner/backends';
import type { BuiltEnvironment } from '@trainyard/runner/work';
import { isNotRun } from '../checks/check.ts';
import { CONTRACT_CHECKS } from '../checks/index.ts';
import { endlessSettings, quickSettings } from './quick-settings.ts';
import { runTrials } from './run-trials.ts';
import { TRIAL_LIMITS, type TrialLimits } from './run-trial.ts';
import { probeModel, type Subject } from './subject.ts';
import type { Trial } from './trials.ts';

/** Tasks that there is test data for. */
const TASKS_WITH_DATA: readonly string[] = ['classify'];

export interface ContractOptions {
  readonly backend: Backend;
  readonly installation: string;
  /** Folder for job folders; made and emptied here. */
  readonly home: string;
  readonly content: PackageContent;
  readonly folder: string;
  readonly environment: BuiltEnvironment;
  /** The pictures come from it; the same seed gives the same pictures. */
  readonly seed: number;
  readonly limits?: TrialLimits;
  readonly signal: AbortSignal;
  readonly onTrial?: (trial: Trial) => void;
}

export interface ContractOutcome {
  readonly result: Omit<StageResult, 'seconds'>;
  readonly findings: readonly Finding[];
}

/** Runs the trainer and lets every check look at what it did. Leaves nothing behind. Throws when the signal fires or the backend refuses. */
export async function runContractStage(options: ContractOptions): Promise<ContractOutcome> {
  const { manifest } = options.content;
  const tasks = manifest.tasks.filter((task) => TASKS_WITH_DATA.includes(task.id));
  const without = manifest.tasks.map((task) => task.id).filter((id) => !TASKS_WITH_DATA.includes(id));
  const reasons = without.length === 0 ? [] : [`There is no test data yet for: ${without.join(', ')}.`];
  const findings: Finding[] = [];
  const ran = new Set<string>(tasks.length === 0 ? [] : CONTRACT_CHECKS.map(({ check }) => check.id));
  for (const task of tasks) {
    const model = probeModel(manifest, task.id);
    if (model === null) {
      reasons.push(`No model is listed by name for ${task.id}.`);
      ran.clear();
      continue;
    }
    const { configSchema } = options.content;
    const subject: Subject = {
      manifest,
      configSchema,
      folder: options.folder,
      environment: options.environment,
      task,
      model,
      quick: quickSettings(configSchema, task.id),
      endless: endlessSettings(configSchema, task.id),
    };
    const judged = await judgeTask(options, subject);
    findings.push(...judged.findings);
    for (const [id, reason] of judged.notRun) {
      ran.delete(id);
      reasons.push(`${id}: ${reason}`);
    }
  }
  const failed = findings.some((finding) => finding.severity === 'error');
  const state = failed ? 'failed' : reasons.length === 0 ? 'passed' : 'skipped';
  const reason = reasons.length === 0 ? {} : { reason: reasons.join(' ').slice(0, 1000) };
  return { result: { stage: 'contract', state, ...reason, checks: [...ran] }, findings };
}

async function judgeTask(
  options: ContractOptions,
  subject: Subject,
): Promise<{ findings: Finding[]; notRun: [string, string][] }> {
  const root = join(options.home, `contract-${newId()}`);
  await mkdir(root, { recursive: true });
  try {
    const { backend, installation, signal } = options;
    const grace = subject.manifest.resources?.grace ?? TRIAL_LIMITS.grace;
    const limits = options.limits ?? { ...TRIAL_LIMITS, grace };
    const deps = { backend, installation, root, limits, signal };
    const trials = await runTrials(deps, subject, options.seed, options.onTrial ?? (() => undefined));
    const findings: Finding[] = [];
    const notRun: [string, string][] = [];
    for (const { check, run } of CONTRACT_CHECKS) {
      const result = await run(trials);
      if (isNotRun(result)) notRun.push([check.id, result.notRun]);
      else findings.push(...result);
    }
    return { findings, notRun };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
