import type { FoundEntry, Overlap, TruthEntry } from './average-precision.ts';

const LEAST_OVERLAP = 0.5;

/** Which class an object was taken for. Pairs are made whatever their class, most overlap first; what is left over pairs with the background. */
export class ObjectConfusion {
  readonly #background: number;
  readonly #threshold: number;
  /** Rows are the truth; the last row and column are the background. */
  readonly matrix: number[][];

  constructor(classes: number, threshold: number) {
    this.#background = classes;
    this.#threshold = threshold;
    this.matrix = Array.from({ length: classes + 1 }, () => Array.from({ length: classes + 1 }, () => 0));
  }

  add(truth: readonly TruthEntry[], found: readonly FoundEntry[], overlap: Overlap): void {
    const founds = found.flatMap(({ score }, i) => (score >= this.#threshold ? [i] : []));
    const pairs = founds
      .flatMap((i) => truth.map((_, j) => ({ i, j, overlap: overlap(i, j) })))
      .filter((pair) => pair.overlap >= LEAST_OVERLAP)
      .sort((a, b) => b.overlap - a.overlap || (found[b.i]?.score ?? 0) - (found[a.i]?.score ?? 0));
    const takenFound = new Set<number>();
    const takenTruth = new Set<number>();
    for (const { i, j } of pairs) {
      const entry = truth[j];
      if (entry === undefined || takenFound.has(i) || (takenTruth.has(j) && !entry.crowd)) continue;
      takenFound.add(i);
      takenTruth.add(j);
      if (!entry.crowd && !entry.ignored) this.#count(entry.class, found[i]?.class ?? this.#background);
    }
    truth.forEach((entry, j) => {
      if (!takenTruth.has(j) && !entry.crowd && !entry.ignored) this.#count(entry.class, this.#background);
    });
    for (const i of founds) if (!takenFound.has(i)) this.#count(this.#background, found[i]?.class ?? this.#background);
  }

  #count(row: number, column: number): void {
    const counts = this.matrix[row];
    if (counts !== undefined) counts[column] = (counts[column] ?? 0) + 1;
  }
}
