/** A curve as columns; steps rise strictly. `low` and `high` are present when points stand for buckets. */
export interface Curve {
  readonly name: string;
  readonly split: string;
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
}

export interface CurveGroup {
  readonly name: string;
  readonly curves: readonly Curve[];
}

const SPLIT_ORDER = ['val', 'test', 'train'];

/** One chart per metric; its splits share a hue. The primary metric comes first, losses next, then by name. */
export function groupCurves(curves: readonly Curve[], primary: string | undefined): CurveGroup[] {
  const groups = new Map<string, Curve[]>();
  for (const curve of curves) groups.set(curve.name, [...(groups.get(curve.name) ?? []), curve]);
  function rank(name: string): number {
    if (name === primary) return 0;
    if (name.includes('loss')) return 1;
    return name.startsWith('x/') ? 3 : 2;
  }
  return [...groups]
    .map(([name, list]) => ({
      name,
      curves: list.sort((a, b) => SPLIT_ORDER.indexOf(a.split) - SPLIT_ORDER.indexOf(b.split)),
    }))
    .sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}

export interface BestPoint {
  readonly step: number;
  readonly value: number;
}

export function bestOf(curve: Curve, direction: 'max' | 'min'): BestPoint | undefined {
  let best: BestPoint | undefined;
  curve.values.forEach((value, index) => {
    const step = curve.steps[index];
    if (value === null || step === undefined) return;
    if (best === undefined || (direction === 'max' ? value > best.value : value < best.value)) best = { step, value };
  });
  return best;
}

/** Columns for uPlot: one x column of all steps, each curve with nulls kept and `undefined` where it has no point. */
export function alignCurves(curves: readonly Curve[]): [number[], ...(number | null | undefined)[][]] {
  const steps = [...new Set(curves.flatMap((curve) => curve.steps))].sort((a, b) => a - b);
  const columns = curves.map((curve) => {
    const at = new Map(curve.steps.map((step, index) => [step, curve.values[index]]));
    return steps.map((step) => at.get(step));
  });
  return [steps, ...columns];
}

/** Halves a curve by keeping of each pair of points the one further from its neighbours' middle, so peaks survive. */
export function thin(steps: number[], values: (number | null)[]): { steps: number[]; values: (number | null)[] } {
  const kept: { steps: number[]; values: (number | null)[] } = { steps: [], values: [] };
  for (let index = 0; index < steps.length; index += 2) {
    const last = kept.values.at(-1) ?? 0;
    const first = values[index] ?? null;
    const second = values[index + 1] ?? null;
    const other = second !== null && (first === null || Math.abs(second - last) > Math.abs(first - last));
    const step = steps[other ? index + 1 : index];
    if (step === undefined) continue;
    kept.steps.push(step);
    kept.values.push(other ? second : first);
  }
  return kept;
}

export function toCsv(curves: readonly Curve[]): string {
  const [steps, ...columns] = alignCurves(curves);
  const head = ['step', ...curves.map((curve) => `${curve.split}/${curve.name}`)].join(',');
  const rows = steps.map((step, row) => [step, ...columns.map((column) => column[row] ?? '')].join(','));
  return `${[head, ...rows].join('\n')}\n`;
}

/** Smaller is better for losses and the errors of regressions; everything else is maximised. */
export function directionOf(name: string): 'max' | 'min' {
  return /(^|[_/])(loss|error|mae|mse|rmse)$/.test(name) ? 'min' : 'max';
}

/** Curves out of the hub's reply of `readSeries`. */
export function curvesFrom(
  series: readonly {
    readonly name: string;
    readonly split: string;
    readonly points: readonly (readonly (number | null)[])[];
  }[],
): Curve[] {
  return series.map(({ name, split, points }) => ({
    name,
    split,
    steps: points.map((point) => point[0] ?? 0),
    values: points.map((point) => point[1] ?? null),
  }));
}
