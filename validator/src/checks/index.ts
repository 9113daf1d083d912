import type { Severity, Stage } from '@trainyard/plugin-sdk';
import type { Check, ContractCheck } from './check.ts';
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
import { checkUnsupported } from './contract/unsupported.ts';
import { INTAKE_CHECKS } from './intake-checks.ts';
import { ACCEPTANCE_CHECKS, EXPORT_CHECKS } from './later-checks.ts';

export type { Check } from './check.ts';
export { ACCEPTANCE_CHECKS, EXPORT_CHECKS } from './later-checks.ts';

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

/** Every check that a report can name. The only list of ids; docs/checks.md is printed from it. */
export const CHECKS: readonly Check[] = [
  ...INTAKE_CHECKS,
  ...[...CONTRACT_CHECKS, ...ACCEPTANCE_CHECKS, ...EXPORT_CHECKS].map(({ check }) => check),
];

const BY_ID = new Map(CHECKS.map((check) => [check.id, check]));

export function findCheck(id: string): Check | null {
  return BY_ID.get(id) ?? null;
}
