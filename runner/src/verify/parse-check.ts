import type { ClaimState, ExportCheck, ExportCheckId, VerifiedOutput } from './export-check.ts';

/** Answers of the checking processes: they are ours, but have read hostile bytes, so each is taken apart field by field. */

const NOTHING = {
  check: null,
  runtime: '',
  maxAbs: null,
  meanAbs: null,
  inputs: 0,
  outputs: [],
  agreement: null,
  milliseconds: null,
} as const;
const IDS: readonly ExportCheckId[] = [
  'export-files',
  'export-metadata',
  'export-clean',
  'export-data-only',
  'export-loads',
  'export-parity',
  'export-selftest',
];
const STATES: readonly ClaimState[] = ['declared', 'proven', 'refuted'];

export function refuted(check: ExportCheckId, reason: string): ExportCheck {
  return { ...NOTHING, state: 'refuted', check, reason };
}

export function declared(reason: string): ExportCheck {
  return { ...NOTHING, state: 'declared', reason };
}

export function parseCheck(answer: string | ExportCheck): ExportCheck {
  if (typeof answer !== 'string') return answer;
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    value = null;
  }
  if (!isRecord(value)) return refuted('export-loads', 'The model made the checker answer what nobody can read.');
  const state = STATES.find((name) => name === value['state']) ?? 'refuted';
  const outputs = Array.isArray(value['outputs']) ? value['outputs'].filter(isRecord).map(outputOf) : [];
  const reason = typeof value['reason'] === 'string' ? value['reason'].slice(0, 1000) : null;
  return {
    state,
    check: state === 'refuted' ? (IDS.find((id) => id === value['check']) ?? 'export-parity') : null,
    runtime: typeof value['runtime'] === 'string' ? value['runtime'].slice(0, 100) : '',
    maxAbs: outputs.length === 0 ? null : Math.max(...outputs.map((output) => output.maxAbs)),
    meanAbs: outputs.length === 0 ? null : Math.max(...outputs.map((output) => output.meanAbs)),
    inputs: numberOf(value['inputs']) ?? 0,
    outputs,
    agreement: numberOf(value['agreement']),
    milliseconds: numberOf(value['milliseconds']),
    reason: state === 'proven' ? null : (reason ?? 'The checker gave no reason.'),
  };
}

function outputOf(value: Record<string, unknown>): VerifiedOutput {
  return {
    name: String(value['name']),
    // JSON knows no infinity: null stands for it.
    maxAbs: numberOf(value['maxAbs']) ?? Infinity,
    meanAbs: numberOf(value['meanAbs']) ?? Infinity,
    tolerance: numberOf(value['tolerance']),
  };
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
