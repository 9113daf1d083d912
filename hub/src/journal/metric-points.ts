import { MINIMISED } from '@trainyard/plugin-sdk';

/** Pure: metric events as columns, and what is known about a series without reading it. */

/** One series of a segment. A null value was not finite. */
export interface SegmentColumn {
  readonly n: string;
  readonly s: string;
  readonly steps: number[];
  readonly values: (number | null)[];
}

export interface MetricEvent {
  readonly step: number;
  readonly epoch?: number;
  readonly split: string;
  readonly values: Readonly<Record<string, number | null>>;
}

/** Columns of a batch, in order of first appearance. */
export function toColumns(events: readonly MetricEvent[]): SegmentColumn[] {
  const columns = new Map<string, SegmentColumn>();
  for (const event of events) {
    for (const [name, value] of Object.entries(event.values)) {
      const key = `${event.split} ${name}`;
      let column = columns.get(key);
      if (column === undefined) columns.set(key, (column = { n: name, s: event.split, steps: [], values: [] }));
      column.steps.push(event.step);
      column.values.push(value !== null && Number.isFinite(value) ? value : null);
    }
  }
  return [...columns.values()];
}

/** Last value and best value so far of one series: [last step, last, best step, best]. */
export type Latest = readonly [lastStep: number, last: number | null, bestStep: number | null, best: number | null];

export function isMinimised(name: string): boolean {
  return (MINIMISED as readonly string[]).includes(name) || name.endsWith('_loss');
}

export function mergeLatest(
  latest: Readonly<Record<string, Latest>>,
  columns: readonly SegmentColumn[],
): Record<string, Latest> {
  const merged: Record<string, Latest> = { ...latest };
  for (const column of columns) {
    const key = `${column.s} ${column.n}`;
    let [lastStep, last, bestStep, best] = merged[key] ?? [0, null, null, null];
    const better = isMinimised(column.n) ? (a: number, b: number) => a < b : (a: number, b: number) => a > b;
    column.steps.forEach((step, i) => {
      const value = column.values[i] ?? null;
      lastStep = step;
      last = value;
      if (value !== null && (best === null || better(value, best))) [bestStep, best] = [step, value];
    });
    merged[key] = [lastStep, last, bestStep, best];
  }
  return merged;
}
