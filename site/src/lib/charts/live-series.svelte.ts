import { thin, type Curve } from './series-shape.ts';

/** More points than this in one curve are thinned by half; a run of days stays in bounded memory. */
const MOST_POINTS = 8000;

interface Column {
  name: string;
  split: string;
  steps: number[];
  values: (number | null)[];
}

export type SeriesPoint = readonly [split: string, name: string, step: number, value: number | null];

/**
 * Curves of one run: a loaded history, then points as they arrive. Appends are gathered and published once per frame,
 * so a hundred points a second cost one redraw. A point at or below the last step (a resumed attempt) cuts the curve back first.
 */
export class LiveSeries {
  readonly #columns = new Map<string, Column>();
  #frame = 0;
  curves = $state.raw<readonly Curve[]>([]);

  constructor(initial: readonly Curve[]) {
    this.replace(initial);
  }

  replace(curves: readonly Curve[]): void {
    this.#columns.clear();
    for (const curve of curves)
      this.#columns.set(`${curve.split}/${curve.name}`, {
        name: curve.name,
        split: curve.split,
        steps: [...curve.steps],
        values: [...curve.values],
      });
    this.#publish();
  }

  append(points: readonly SeriesPoint[]): void {
    for (const [split, name, step, value] of points) {
      const key = `${split}/${name}`;
      let column = this.#columns.get(key);
      if (column === undefined) {
        column = { name, split, steps: [], values: [] };
        this.#columns.set(key, column);
      }
      while ((column.steps.at(-1) ?? -1) >= step) {
        column.steps.pop();
        column.values.pop();
      }
      column.steps.push(step);
      column.values.push(value);
      if (column.steps.length > MOST_POINTS) Object.assign(column, thin(column.steps, column.values));
    }
    if (this.#frame === 0)
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#publish();
      });
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #publish(): void {
    this.curves = [...this.#columns.values()].map(({ name, split, steps, values }) => ({
      name,
      split,
      steps: [...steps],
      values: [...values],
    }));
  }
}
