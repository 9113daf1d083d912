import type { Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'memory-honest';
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/** No run takes more memory than trainer.yaml says is enough. */
export function checkMemory(trials: Trials): CheckResult {
  const declared = bytesOf(trials.subject.manifest.resources?.min?.memory);
  if (declared === null) return [];
  const weighed = trials.all.filter((trial) => trial.peakBytes !== null);
  const [most] = [...weighed].sort((a, b) => (b.peakBytes ?? 0) - (a.peakBytes ?? 0));
  if (most === undefined) return { notRun: 'memory cannot be seen on this machine' };
  const peak = most.peakBytes ?? 0;
  if (peak <= declared) return [];
  const mib = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
  const message = `The run "${most.name}" had ${mib(peak)} of memory; trainer.yaml says ${mib(declared)} are enough.`;
  const where = { file: 'trainer.yaml', pointer: '/resources/min/memory' };
  return [findingOf(ID, message, 'Raise resources.min.memory, or use less.', { where, evidence: `${peak} bytes` })];
}

function bytesOf(quantity: string | number | undefined): number | null {
  if (quantity === undefined) return null;
  if (typeof quantity === 'number') return quantity;
  const [, number = '', unit = ''] = /^([0-9.]+)(\w*)$/.exec(quantity) ?? [];
  return Number(number) * (UNITS[unit] ?? 1);
}
