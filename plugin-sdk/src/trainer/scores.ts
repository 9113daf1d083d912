/** Canonical metrics of classification, computed from predictions. */

export interface ClassScore {
  readonly class: number;
  readonly score: number;
}

export interface PerClass {
  readonly index: number;
  readonly name: string;
  readonly support: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface Scores {
  readonly metrics: {
    readonly top1: number;
    readonly top5: number;
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
  };
  readonly perClass: readonly PerClass[];
  /** Rows are the truth. */
  readonly confusion: readonly (readonly number[])[];
}

/** Best classes first; the same score keeps class order. */
export function rank(scores: ArrayLike<number>, most = 5): ClassScore[] {
  const all = Array.from(scores, (score, index) => ({ class: index, score }));
  return all.sort((a, b) => b.score - a.score || a.class - b.class).slice(0, most);
}

/** `ranked[i]` belongs to `labels[i]`. Means are macro means over classes that occur as truth or as first prediction. */
export function scoreClassification(
  labels: readonly number[],
  ranked: readonly (readonly ClassScore[])[],
  names: readonly string[],
): Scores {
  const matrix = names.map(() => names.map(() => 0));
  let top1 = 0;
  let top5 = 0;
  for (const [at, label] of labels.entries()) {
    const order = ranked[at] ?? [];
    const first = order[0]?.class ?? -1;
    const row = matrix[label];
    if (row !== undefined && row[first] !== undefined) row[first] += 1;
    if (first === label) top1 += 1;
    if (order.slice(0, 5).some((entry) => entry.class === label)) top5 += 1;
  }
  const perClass = names.map((name, index) => {
    const hits = matrix[index]?.[index] ?? 0;
    const support = (matrix[index] ?? []).reduce((sum, count) => sum + count, 0);
    const predicted = matrix.reduce((sum, row) => sum + (row[index] ?? 0), 0);
    const precision = predicted === 0 ? 0 : hits / predicted;
    const recall = support === 0 ? 0 : hits / support;
    const f1 = precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
    return { index, name, support, precision, recall, f1, predicted };
  });
  const seen = perClass.filter((item) => item.support + item.predicted > 0);
  const mean = (pick: (item: PerClass) => number): number =>
    seen.length === 0 ? 0 : seen.reduce((sum, item) => sum + pick(item), 0) / seen.length;
  const count = Math.max(1, labels.length);
  return {
    metrics: {
      top1: top1 / count,
      top5: top5 / count,
      precision: mean((item) => item.precision),
      recall: mean((item) => item.recall),
      f1: mean((item) => item.f1),
    },
    perClass: perClass.map(({ predicted: _predicted, ...item }) => item),
    confusion: matrix,
  };
}
