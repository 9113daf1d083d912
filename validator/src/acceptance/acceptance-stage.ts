import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId, type ClaimProof, type Finding, type StageResult, type TaskProof } from '@trainyard/plugin-sdk';
import { defaultsFor, presetValuesFor, type JsonObject } from '@trainyard/plugin-sdk/config';
import { isNotRun } from '../checks/check.ts';
import { ACCEPTANCE_CHECKS } from '../checks/index.ts';
import { subjectFor, type ContractOptions } from '../contract/contract-stage.ts';
import { acceptanceSize, drawTestData, formatFor, isTask, TINY } from '../data/test-data.ts';
import { limitsHere } from '../trial/run-trial.ts';
import { nearestAllowed } from '../trial/quick-settings.ts';
import { probeModel, type Subject } from '../trial/subject.ts';
import { runAcceptanceTrials, type AcceptanceTrials } from './acceptance-trials.ts';
import { claimsOf } from './claims.ts';

/** One task after its trials. `close` removes what they left. */
export interface AcceptedTask {
  readonly proof: TaskProof;
  readonly passed: boolean;
  readonly findings: readonly Finding[];
  readonly claims: readonly ClaimProof[];
  readonly notRun: readonly { readonly id: string; readonly reason: string; readonly required: boolean }[];
  readonly trials: AcceptanceTrials;
  readonly root: string;
  close(): Promise<void>;
}

/** Lets one task learn, stop, go on and be evaluated. Throws when the signal fires or the backend refuses. */
export async function acceptTask(options: ContractOptions, taskId: string): Promise<AcceptedTask> {
  const begun = performance.now();
  const { manifest } = options.content;
  const task = manifest.tasks.find(({ id }) => id === taskId);
  const model = probeModel(manifest, taskId);
  const format = task === undefined ? null : formatFor(task);
  if (task === undefined || model === null || format === null || !isTask(taskId))
    throw new Error(`${taskId} passed the contract without data`);
  const root = join(options.home, `acceptance-${newId()}`);
  await mkdir(root, { recursive: true });
  const close = (): Promise<void> => rm(root, { recursive: true, force: true });
  try {
    const { backend, installation, signal, seed } = options;
    const large = await drawTestData(taskId, format, seed, options.pictures ?? acceptanceSize(taskId), signal);
    const tiny = await drawTestData(taskId, format, seed + 2, TINY, signal);
    const limits = options.limits ?? limitsHere(manifest.resources?.grace);
    const subject = subjectFor(options, task, model);
    const deps = { backend, installation, root, limits, signal };
    const settings = proofSettings(options, subject);
    const trials = await runAcceptanceTrials(
      deps,
      subject,
      { large, tiny },
      settings,
      options.onTrial ?? (() => undefined),
    );
    const findings: Finding[] = [];
    const notRun: { id: string; reason: string; required: boolean }[] = [];
    for (const { check, run } of ACCEPTANCE_CHECKS) {
      const result = await run(trials);
      if (isNotRun(result)) notRun.push({ id: check.id, reason: result.notRun, required: check.required });
      else findings.push(...result);
    }
    const blocking = findings.find(({ severity, check }) => severity === 'error' || check === 'learns');
    const missing = notRun.find(({ id }) => id === 'learns' || id === 'metric-honest');
    const passed = blocking === undefined && missing === undefined;
    const { primary, reported, evaluated, recomputed } = trials;
    const reason = blocking?.message ?? missing?.reason;
    return {
      proof: {
        task: taskId,
        model,
        level: passed ? 'L2' : 'L1',
        primary: {
          name: primary.name,
          reported: evaluated ?? reported,
          recomputed:
            recomputed === null || 'problem' in recomputed ? null : (recomputed.metrics[primary.name] ?? null),
          floor: primary.floor,
        },
        seconds: Math.round((performance.now() - begun) / 100) / 10,
        ...(reason === undefined ? {} : { reason }),
      },
      passed,
      findings,
      claims: claimsOf(trials, findings),
      notRun,
      trials,
      root,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The preset that the author made for this, else the defaults; loader processes would only wait for each other here. */
function proofSettings({ content }: ContractOptions, { configSchema, task }: Subject): JsonObject {
  const preset = content.presets.find(({ id }) => id === `proof-${task.id}`);
  const own = preset === undefined ? {} : presetValuesFor(preset, configSchema, task.id);
  const settings: JsonObject = { ...defaultsFor(configSchema, task.id), ...own };
  const workers = settings['workers'] === undefined ? null : nearestAllowed(configSchema, 'workers', 0);
  return workers === null || own['workers'] !== undefined ? settings : { ...settings, workers };
}

export function acceptanceResult(tasks: readonly AcceptedTask[]): Omit<StageResult, 'seconds'> {
  const reasons = tasks.flatMap(({ proof, passed, notRun }) => [
    ...(passed ? [] : [`${proof.task}: ${proof.reason ?? 'not proven.'}`]),
    ...notRun.map(({ id, reason }) => `${id}: ${reason}`),
  ]);
  const failed = tasks.some(({ passed }) => !passed);
  const missing = new Set(tasks.flatMap(({ notRun }) => notRun.map(({ id }) => id)));
  const checks = ACCEPTANCE_CHECKS.map(({ check }) => check.id).filter((id) => !missing.has(id));
  const reason = reasons.length === 0 ? {} : { reason: [...new Set(reasons)].join(' ').slice(0, 1000) };
  return { stage: 'acceptance', state: failed ? 'failed' : 'passed', ...reason, checks };
}
