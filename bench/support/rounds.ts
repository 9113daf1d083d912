import { loadavg, availableParallelism } from 'node:os';

/** One side of a comparison: does its work once and answers a cost per operation (any unit; both sides the same). */
export type Side = () => Promise<number>;

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly ours: Side;
  readonly reference: Side;
  readonly referenceIs: string;
  readonly rounds?: number;
  /** What the ratio ours ÷ reference should not pass. */
  readonly goal?: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]];
  return (low + high) / 2;
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** A B B A …, one round first that does not count. Prints one line: both medians and the median of the ratios of the rounds. */
export async function compare(comparison: Comparison): Promise<void> {
  const { name, unit, ours, reference, referenceIs, rounds = 5, goal } = comparison;
  await ours();
  await reference();
  const own: number[] = [];
  const other: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) own.push(await ours());
    other.push(await reference());
    if (round % 2 === 1) own.push(await ours());
  }
  const ratio = median(own.map((value, round) => value / (other[round] ?? Number.NaN)));
  const verdict = goal === undefined ? '' : ratio <= goal ? `, goal ${goal}: kept` : `, goal ${goal}: MISSED`;
  const load = `load ${(loadavg()[0] ?? 0).toFixed(1)} on ${availableParallelism()} cores`;
  console.log(
    `${name}: ${shown(median(own))} ${unit}, ${referenceIs} ${shown(median(other))} ${unit}, ratio ${shown(ratio)}${verdict} (${rounds} rounds, ${load})`,
  );
}
