import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId, type Finding, type StageResult, type TaskClaim } from '@trainyard/plugin-sdk';
import type { SchemaWorkerPool } from '@trainyard/plugin-sdk/config';
import type { PackageContent } from '@trainyard/plugin-sdk/package';
import type { Backend } from '@trainyard/runner/backends';
import type { BuiltEnvironment } from '@trainyard/runner/work';
import { drawTestData, formatFor, isTask, TINY, type DataSize, type TestData } from '../data/test-data.ts';
import { isNotRun } from '../checks/check.ts';
import { CONTRACT_CHECKS } from '../checks/index.ts';
import { endlessSettings, quickSettings } from '../trial/quick-settings.ts';
import { runTrials } from './run-trials.ts';
import { limitsHere } from '../trial/run-trial.ts';
import type { TrialLimits } from '../trial/trial-deps.ts';
import { probeModel, type Subject } from '../trial/subject.ts';
import type { Trial } from '../trial/trials.ts';

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
  /** Only these tasks; all of the manifest when absent. */
  readonly tasks?: readonly string[];
  readonly schemas: SchemaWorkerPool;
  /** Pictures to learn from; those of the contract when absent. Fewer only where the suite itself is tried. */
  readonly pictures?: DataSize;
  /** Folder that takes a copy of every export that was made. */
  readonly keepExports?: string;
  readonly signal: AbortSignal;
  readonly onTrial?: (trial: Trial) => void;
}

export interface ContractOutcome {
  readonly result: Omit<StageResult, 'seconds'>;
  readonly findings: readonly Finding[];
  /** How each task did; in the order of the manifest. */
  readonly tasks: readonly TaskOutcome[];
}

export interface TaskOutcome {
  readonly task: string;
  readonly model: string;
  readonly passed: boolean;
  readonly seconds: number;
  readonly reason: string | null;
}

/** Runs the trainer and lets every check look at what it did. Leaves nothing behind. Throws when the signal fires or the backend refuses. */
export async function runContractStage(options: ContractOptions): Promise<ContractOutcome> {
  const { manifest } = options.content;
  const chosen = manifest.tasks.filter(({ id }) => options.tasks === undefined || options.tasks.includes(id));
  const reasons: string[] = [];
  const blocked = new Set<string>();
  const ran = new Set<string>(chosen.length === 0 ? [] : CONTRACT_CHECKS.map(({ check }) => check.id));
  const findings: Finding[] = [];
  const tasks: TaskOutcome[] = [];
  for (const [at, task] of chosen.entries()) {
    const begun = performance.now();
    const model = probeModel(manifest, task.id);
    const format = formatFor(task);
    if (model === null || format === null || !isTask(task.id)) {
      const reason =
        model === null ? `No model is listed by name for ${task.id}.` : `There is no test data for ${task.id}.`;
      reasons.push(reason);
      blocked.add(task.id);
      tasks.push({ task: task.id, model: model ?? '', passed: false, seconds: 0, reason });
      continue;
    }
    const data = await drawTestData(task.id, format, options.seed, TINY, options.signal);
    const judged = await judgeTask(options, subjectFor(options, task, model), data, at === 0);
    const own = judged.findings.map((finding) =>
      chosen.length === 1 ? finding : { ...finding, message: `${task.id}: ${finding.message}` },
    );
    findings.push(...own);
    for (const { id, reason, required } of judged.notRun) {
      ran.delete(id);
      if (required) blocked.add(task.id);
      reasons.push(`${id}: ${reason}`);
    }
    const failed = own.find((finding) => finding.severity === 'error');
    const missing = judged.notRun.find(({ required }) => required);
    tasks.push({
      task: task.id,
      model,
      passed: failed === undefined && missing === undefined,
      seconds: Math.round((performance.now() - begun) / 100) / 10,
      reason: failed?.message ?? missing?.reason ?? null,
    });
  }
  if (blocked.size === chosen.length) ran.clear();
  const failed = findings.some((finding) => finding.severity === 'error');
  const state = failed ? 'failed' : blocked.size === 0 ? 'passed' : 'skipped';
  const reason = reasons.length === 0 ? {} : { reason: [...new Set(reasons)].join(' ').slice(0, 1000) };
  return { result: { stage: 'contract', state, ...reason, checks: [...ran] }, findings, tasks };
}

export function subjectFor(options: ContractOptions, task: TaskClaim, model: string): Subject {
  const { configSchema, manifest } = options.content;
  const claim = manifest.models.find(({ id }) => id === model);
  return {
    manifest,
    configSchema,
    folder: options.folder,
    environment: options.environment,
    task,
    model,
    quick: quickSettings(configSchema, task.id, claim),
    endless: endlessSettings(configSchema, task.id, claim),
  };
}

interface Judged {
  readonly findings: readonly Finding[];
  readonly notRun: readonly { readonly id: string; readonly reason: string; readonly required: boolean }[];
}

async function judgeTask(options: ContractOptions, subject: Subject, data: TestData, first: boolean): Promise<Judged> {
  const root = join(options.home, `contract-${newId()}`);
  await mkdir(root, { recursive: true });
  try {
    const { backend, installation, signal, schemas, content } = options;
    const limits = options.limits ?? limitsHere(subject.manifest.resources?.grace);
    const deps = { backend, installation, root, limits, signal };
    const trials = await runTrials(deps, subject, data, {
      first,
      judge: async (config) =>
        (await schemas.validateConfig(content.configSchemaText, subject.task.id, config)).errors.length === 0,
      onTrial: options.onTrial ?? (() => undefined),
    });
    const findings: Finding[] = [];
    const notRun: { id: string; reason: string; required: boolean }[] = [];
    for (const { check, run } of CONTRACT_CHECKS) {
      const result = await run(trials);
      if (isNotRun(result)) notRun.push({ id: check.id, reason: result.notRun, required: check.required });
      else findings.push(...result);
    }
    return { findings, notRun };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
