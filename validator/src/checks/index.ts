import type { Severity, Stage } from '@trainyard/plugin-sdk';
import type { Check, ContractCheck } from './check.ts';
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
    'config-bad',
    checkBadConfig,
    'wrong settings end with 78 and the key is named',
    'Check settings against the schema first.',
  ),
  contract(
    'dataset-bad',
    checkBadDataset,
    'broken datasets end with 65 and the place is named',
    'Find the fault in `validate`.',
  ),
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
export const CHECKS: readonly Check[] = [...INTAKE_CHECKS, ...CONTRACT_CHECKS.map(({ check }) => check)];

const BY_ID = new Map(CHECKS.map((check) => [check.id, check]));

export function findCheck(id: string): Check | null {
  return BY_ID.get(id) ?? null;
}
