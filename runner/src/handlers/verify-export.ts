import type { Outcome } from '@trainyard/plugin-sdk';
import { readyCheckers } from '../verify/checkers.ts';
import type { ClaimState, ExportCheck } from '../verify/export-check.ts';
import { verifyExport } from '../verify/verify-export.ts';
import type { VerifyExport } from './run-verb.ts';

/** What the artifact of an export says about its verification. `declared`: the claim of the trainer stands, unproven, for the reason given. */
export interface Parity {
  readonly state: ClaimState;
  /** False when declared. */
  readonly checked: boolean;
  /** True when proven. */
  readonly passed: boolean;
  readonly maxAbs: number | null;
  readonly meanAbs: number | null;
  readonly tolerance: number | null;
  /** Share of equal answers, 0 to 1. */
  readonly agreement: number | null;
  /** Median of 20 runs on one CPU thread. */
  readonly milliseconds: number | null;
  readonly runtime: string;
  readonly by: 'runner';
  readonly reason: string | null;
}

function parityOf(seen: ExportCheck): Parity {
  const tolerances = seen.outputs.flatMap((output) => (output.tolerance === null ? [] : [output.tolerance]));
  const finite = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? value : null);
  return {
    state: seen.state,
    checked: seen.state !== 'declared',
    passed: seen.state === 'proven',
    maxAbs: finite(seen.maxAbs),
    meanAbs: finite(seen.meanAbs),
    tolerance: tolerances.length === 0 ? null : Math.max(...tolerances),
    agreement: seen.agreement,
    milliseconds: seen.milliseconds,
    runtime: seen.runtime,
    by: 'runner',
    reason: seen.reason,
  };
}

function failureOf(seen: ExportCheck): Outcome {
  return {
    state: 'failed',
    code: 'verification.parity',
    message: `The exported model does not answer like the checkpoint. ${seen.reason ?? ''}`.trim(),
    hint: 'Try another precision or format; if it comes back, tell the author of the trainer.',
    exit: 0,
    retryable: false,
  };
}

/**
 * Opens an exported model in a runtime that is not the trainer's. A format nobody can check here keeps its claim, with the reason.
 * `environments`: the folder of this home's Python environments, where the checkers are looked for; they are never built in the middle of a run.
 */
export function exportVerifier(environments: string): VerifyExport {
  return async (folder, format, signal) => {
    const checkers = await readyCheckers(environments);
    const seen = await verifyExport({ exportFolder: folder, format, checkers, signal });
    return { meta: { format, parity: parityOf(seen) }, failure: seen.state === 'refuted' ? failureOf(seen) : null };
  };
}
