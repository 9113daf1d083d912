import type { Outcome } from '@trainyard/plugin-sdk';
import { verifyOnnx, type OnnxVerification } from '../verify/verify-onnx.ts';
import type { VerifyExport } from './run-verb.ts';

/** What the artifact of an export says about its verification. `checked: false`: the claim of the trainer stands, unproven. */
export interface Parity {
  readonly checked: boolean;
  readonly passed: boolean;
  readonly maxAbs: number | null;
  readonly meanAbs: number | null;
  readonly tolerance: number | null;
  readonly runtime: string;
  readonly by: 'runner';
  readonly reason: string | null;
}

function unchecked(reason: string): Parity {
  const numbers = { maxAbs: null, meanAbs: null, tolerance: null };
  return { checked: false, passed: false, ...numbers, runtime: '', by: 'runner', reason };
}

function parityOf(seen: OnnxVerification): Parity {
  const tolerances = seen.outputs.flatMap((output) => (output.tolerance === null ? [] : [output.tolerance]));
  return {
    checked: seen.checked,
    passed: seen.passed,
    maxAbs: seen.maxAbs,
    meanAbs: seen.meanAbs,
    tolerance: tolerances.length === 0 ? null : Math.max(...tolerances),
    runtime: seen.runtime,
    by: 'runner',
    reason: seen.reason ?? null,
  };
}

function refuted(parity: Parity): Outcome {
  return {
    state: 'failed',
    code: 'verification.parity',
    message: `The exported model does not answer like the checkpoint. ${parity.reason ?? ''}`.trim(),
    hint: 'Try another precision or format; if it comes back, tell the author of the trainer.',
    exit: 0,
    retryable: false,
  };
}

/** Runs an exported model in a runtime that is not the trainer's. A format nobody can check here keeps its claim, with the reason. */
export const verifyExport: VerifyExport = async (folder, format, signal) => {
  if (format !== 'onnx') {
    return { meta: { format, parity: unchecked(`This runner cannot check ${format}.`) }, failure: null };
  }
  const parity = parityOf(await verifyOnnx({ exportFolder: folder, signal }));
  return { meta: { format, parity }, failure: parity.checked && !parity.passed ? refuted(parity) : null };
};
