import type { Severity, Stage } from '@trainyard/plugin-sdk';
import type { AcceptanceTrials } from '../acceptance/acceptance-trials.ts';
import type { ExportTrial } from '../export/export-trials.ts';
import type { Check, CheckResult, ContractCheck } from './check.ts';
import { checkAnyUser } from './contract/any-uid.ts';
import { checkClassOrder } from './contract/class-order.ts';
import { checkEffectiveConfig } from './contract/config-effective.ts';
import { checkWrites } from './contract/confined-writes.ts';
import { checkFullDisk } from './contract/disk-full.ts';
import { checkEventFile } from './contract/event-file.ts';
import { checkHeartbeat } from './contract/heartbeat.ts';
import { checkMemory } from './contract/memory-honest.ts';
import { checkNetwork } from './contract/no-network.ts';
import { checkPredict } from './contract/predict-valid.ts';
import { checkWallLimit } from './contract/wall-limit.ts';
import { checkCheckpointIndex } from './contract/checkpoint-index.ts';
import { checkBadConfig } from './contract/config-bad.ts';
import { checkBadDataset } from './contract/dataset-bad.ts';
import { checkDescribe } from './contract/describe-equal.ts';
import { checkEvaluate } from './contract/evaluate-valid.ts';
import { checkEventGrammar } from './contract/event-grammar.ts';
import { checkExitAgreement } from './contract/exit-agreement.ts';
import { checkInputMissing } from './contract/input-missing.ts';
import { checkLimits } from './contract/limit-exceeded.ts';
import { checkMetrics } from './contract/metrics-declared.ts';
import { checkOutput } from './contract/output-safe.ts';
import { checkProgress } from './contract/progress-seen.ts';
import { checkResume } from './contract/resume-continues.ts';
import { checkStop } from './contract/stop-saves.ts';
import { checkLearning } from './acceptance/learns.ts';
import { checkHonesty } from './acceptance/metric-honest.ts';
import { checkReproduction } from './acceptance/evaluate-reproduces.ts';
import { checkBehaviour } from './acceptance/config-behaves.ts';
import { checkEarlyStop } from './acceptance/stop-early.ts';
import { checkResumedEnd } from './acceptance/resume-reaches.ts';
import { checkKill } from './acceptance/kill-safe.ts';
import { checkSeed } from './acceptance/seeded.ts';
import { checkUnsupported } from './contract/unsupported.ts';
import { checkFiles } from './export/export-files.ts';
import { checkMetadata } from './export/export-metadata.ts';
import { checkClean } from './export/export-clean.ts';
import { checkDataOnly } from './export/export-data-only.ts';
import { checkLoads } from './export/export-loads.ts';
import { checkParity } from './export/export-parity.ts';
import { checkSelftest } from './export/export-selftest.ts';
import { checkInputSize } from './export/export-input-size.ts';
import { checkAccuracy } from './export/export-accuracy.ts';
import { checkPredictExport } from './export/predict-export.ts';
import { checkRecorded } from './export/export-recorded.ts';
import { INTAKE_CHECKS } from './intake-checks.ts';

export type { Check } from './check.ts';

interface ContractRow {
  readonly check: Check;
  readonly run: ContractCheck;
}

function contract(id: string, run: ContractCheck, looks: string, fix: string, required = true): ContractRow {
  const row = { stage: 'contract' satisfies Stage, severity: 'error' satisfies Severity, act: 'rejected' } as const;
  return {
    check: { id, ...row, enforced: true, required, file: `validator/src/checks/contract/${id}.ts`, looks, fix },
    run,
  };
}

/** In the order of the report. */
export const CONTRACT_CHECKS: readonly ContractRow[] = [
  contract(
    'describe-equal',
    checkDescribe,
    '`describe` says what the files of the package say, in 10 seconds',
    'Print the document that the SDK prints.',
  ),
  contract('event-grammar', checkEventGrammar, 'every line of events.jsonl of every run', 'Write events with the SDK.'),
  contract('exit-agreement', checkExitAgreement, 'exit code and terminal event agree', 'Use the table of exit codes.'),
  contract(
    'metrics-declared',
    checkMetrics,
    'one epoch reports the declared metrics and no others',
    'Report it, or change "declared".',
  ),
  contract(
    'progress-seen',
    checkProgress,
    'progress and metrics from the first epoch on',
    'Report as you go, not at the end.',
    false,
  ),
  contract(
    'heartbeat',
    checkHeartbeat,
    '`usage` events at least every 30 seconds',
    'Use the background thread of the SDK.',
    false,
  ),
  contract(
    'event-file',
    checkEventFile,
    'every line of events.jsonl whole, by one writer',
    'Append whole lines, or use the SDK.',
  ),
  contract(
    'no-network',
    checkNetwork,
    'a training tries to reach nothing',
    'Switch telemetry and downloads off in code.',
    false,
  ),
  contract(
    'confined-writes',
    checkWrites,
    'nothing is written to package or environment',
    'Write to checkpoints/, output/ and TMPDIR.',
  ),
  contract('any-uid', checkAnyUser, 'an image works as any user', 'Make files readable for all.', false),
  contract(
    'config-bad',
    checkBadConfig,
    'wrong settings end with 78 and the key is named',
    'Check settings against the schema first.',
  ),
  contract(
    'config-effective',
    checkEffectiveConfig,
    'every setting arrives: what validate says, training uses',
    'Pass it on, or say why not in "note".',
  ),
  contract(
    'dataset-bad',
    checkBadDataset,
    'broken datasets end with 65 and the place is named',
    'Find the fault in `validate`.',
  ),
  contract('class-order', checkClassOrder, 'reports follow the class order of dataset.json', 'Never sort names.'),
  contract('unsupported', checkUnsupported, 'unknown models and tasks end with 69', 'Compare with trainer.yaml first.'),
  contract('input-missing', checkInputMissing, 'an absent checkpoint ends with 66', 'Check the digest before opening.'),
  contract(
    'checkpoint-index',
    checkCheckpointIndex,
    'the index names best and last with true digests',
    'Write aside, fsync, rename, then the index.',
  ),
  contract(
    'evaluate-valid',
    checkEvaluate,
    '`evaluate` writes its metrics and one prediction per picture',
    'One line per picture, in list order.',
  ),
  contract(
    'predict-valid',
    checkPredict,
    '`predict` writes one valid line per picture',
    'Write what `evaluate` writes.',
  ),
  contract(
    'disk-full',
    checkFullDisk,
    'a full disk ends with 74, the previous checkpoint stays',
    'Write aside, rename, then the index.',
    false,
  ),
  contract(
    'wall-limit',
    checkWallLimit,
    'a training stops by itself when its time is over',
    'Watch job.limits.maxSeconds.',
    false,
  ),
  contract(
    'memory-honest',
    checkMemory,
    'no run takes more memory than declared',
    'Raise resources.min.memory.',
    false,
  ),
  contract(
    'stop-saves',
    checkStop,
    'SIGTERM ends with 75 and a checkpoint to go on from',
    'Handle SIGTERM at a safe point.',
  ),
  contract(
    'resume-continues',
    checkResume,
    'a resume goes on with the step count',
    'Restore state and count on.',
    false,
  ),
  contract('output-safe', checkOutput, 'regular files with plain names only', 'Write no links.'),
  contract('limit-exceeded', checkLimits, 'no run hangs, floods or takes too much', 'End by yourself, log less.'),
];

/** Acceptance and exports are measured after publishing, so their absence decides nothing under the policy local. */
function later<Trials>(
  stage: 'acceptance' | 'export',
  id: string,
  run: (trials: Trials) => CheckResult | Promise<CheckResult>,
  looks: string,
  fix: string,
  severity: Severity = 'error',
) {
  const file = `validator/src/checks/${stage}/${id}.ts`;
  const act = severity === 'error' ? 'rejected' : 'none';
  const check: Check = { id, stage, severity, act, enforced: act !== 'none', required: false, file, looks, fix };
  return { check, run };
}

function acceptance(
  id: string,
  run: (trials: AcceptanceTrials) => CheckResult | Promise<CheckResult>,
  looks: string,
  fix: string,
  severity?: Severity,
) {
  return later('acceptance', id, run, looks, fix, severity);
}

export const ACCEPTANCE_CHECKS = [
  acceptance(
    'learns',
    checkLearning,
    'the probe model reaches the floor in its time, by our own metric',
    'A preset proof-<task> with which it does.',
    'warning',
  ),
  acceptance(
    'metric-honest',
    checkHonesty,
    'reported and recomputed metric agree within 0.02',
    'Compute it from the predictions that are written.',
  ),
  acceptance(
    'evaluate-reproduces',
    checkReproduction,
    'evaluate of the best checkpoint says what the training said',
    'Same preprocessing, same checkpoint.',
  ),
  acceptance(
    'config-behaves',
    checkBehaviour,
    'epochs, batch, learning rate and seed do what they say',
    'Pass them on.',
  ),
  acceptance(
    'stop-early',
    checkEarlyStop,
    'SIGTERM during prepare ends it within 5 seconds',
    'Safe points in prepare too.',
  ),
  acceptance(
    'resume-reaches',
    checkResumedEnd,
    'stopped and resumed it ends at the same step',
    'Restore everything, count on.',
  ),
  acceptance(
    'kill-safe',
    checkKill,
    'SIGKILL at any moment, also inside a checkpoint, loses nothing',
    'Write aside, rename, index last.',
  ),
  acceptance(
    'seeded',
    checkSeed,
    'two trainings with one seed are as equal as declared',
    'Seed every source of chance.',
    'warning',
  ),
];

function exporting(
  id: string,
  run: (tried: ExportTrial) => CheckResult | Promise<CheckResult>,
  looks: string,
  fix: string,
  severity?: Severity,
) {
  return later('export', id, run, looks, fix, severity);
}

export const EXPORT_CHECKS = [
  exporting(
    'export-files',
    checkFiles,
    'files and digests of every export, labels in class order',
    'Let the SDK write the bundle.',
  ),
  exporting(
    'export-metadata',
    checkMetadata,
    'metadata.json says what the model file says',
    'Read it back from the file.',
  ),
  exporting(
    'export-clean',
    checkClean,
    'no host, user or dataset path in any file',
    'Rewrite the metadata of the format.',
  ),
  exporting('export-data-only', checkDataOnly, 'no pickle inside, external data named', 'Export weights as data.'),
  exporting('export-loads', checkLoads, 'another runtime opens it', 'Open it before it is shipped.'),
  exporting(
    'export-parity',
    checkParity,
    'it answers as the checkpoint does, classes in order',
    'Compare on 16 pictures.',
  ),
  exporting(
    'export-selftest',
    checkSelftest,
    'wrappers equal the SDK and reproduce the self-test',
    'Copy runtime/ as it is.',
  ),
  exporting(
    'export-input-size',
    checkInputSize,
    'the exported input has the size of the training',
    'Export with that size.',
  ),
  exporting(
    'export-accuracy',
    checkAccuracy,
    'its metric, by the checker, is that of the checkpoint',
    'Right steps in metadata.json.',
  ),
  exporting('predict-export', checkPredictExport, 'predict answers the same with it', 'Accept every claimed format.'),
  exporting('export-recorded', checkRecorded, 'time and size are recorded', 'Prepare the checkers.', 'recommendation'),
];

/** Every check that a report can name. The only list of ids; docs/checks.md is printed from it. */
export const CHECKS: readonly Check[] = [
  ...INTAKE_CHECKS,
  ...[...CONTRACT_CHECKS, ...ACCEPTANCE_CHECKS, ...EXPORT_CHECKS].map(({ check }) => check),
];

const BY_ID = new Map(CHECKS.map((check) => [check.id, check]));

export function findCheck(id: string): Check | null {
  return BY_ID.get(id) ?? null;
}
