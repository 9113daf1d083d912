/** Average precision as COCO defines it: ten overlaps from 0.50 to 0.95, precision at 101 recalls, all sizes. Pictures are taken one at a time. */

export interface TruthEntry {
  readonly class: number;
  /** Stands for many: any number of findings may lie on it, and none of them counts. */
  readonly crowd: boolean;
  /** Left out of the score; the finding that fits best on it does not count either. */
  readonly ignored: boolean;
}
export interface FoundEntry {
  readonly class: number;
  readonly score: number;
}
/** Overlap of `found[i]` with `truth[j]`, 0 to 1. */
export type Overlap = (found: number, truth: number) => number;

const STEP = (0.95 - 0.5) / 9;
/** Spaced like NumPy's linspace, to the last bit. */
export const OVERLAPS: readonly number[] = Array.from({ length: 10 }, (_, i) => (i === 9 ? 0.95 : 0.5 + i * STEP));
const RECALLS: readonly number[] = Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01));

/** Findings of one class: bit t of `hits` and `skips` belongs to OVERLAPS[t]. */
interface Tally {
  truths: number;
  readonly scores: number[];
  readonly hits: number[];
  readonly skips: number[];
}

export interface ClassPrecision {
  /** Truths that count. */
  readonly truths: number;
  /** Null when there is no truth: the class does not count in a mean. */
  readonly ap50: number | null;
  readonly ap50_95: number | null;
  /** Precision at the 101 recalls, for overlap 0.50. */
  readonly curve: readonly number[];
}

/** One finding at overlap 0.50 that counts. */
export interface Judged {
  readonly class: number;
  readonly score: number;
  readonly hit: boolean;
}

export class AveragePrecision {
  readonly #tallies: readonly Tally[];
  readonly #most: number;

  /** `maxDetections` of each class in each picture; the others are not looked at. */
  constructor(classes: number, maxDetections: number) {
    this.#tallies = Array.from({ length: classes }, () => ({ truths: 0, scores: [], hits: [], skips: [] }));
    this.#most = maxDetections;
  }

  add(truth: readonly TruthEntry[], found: readonly FoundEntry[], overlap: Overlap): void {
    this.#tallies.forEach((tally, index) => {
      const truths = indices(truth, index).sort((a, b) => rankOf(truth[a]) - rankOf(truth[b]));
      const founds = indices(found, index)
        .sort((a, b) => (found[b]?.score ?? 0) - (found[a]?.score ?? 0))
        .slice(0, this.#most);
      if (truths.length === 0 && founds.length === 0) return;
      const table = founds.map((i) => truths.map((j) => overlap(i, j)));
      const marks = OVERLAPS.map((least) => match(truths, truth, table, least));
      founds.forEach((i, row) => {
        let [hits, skips] = [0, 0];
        marks.forEach((mark, t) => {
          if (mark[row] === 'hit') hits |= 1 << t;
          if (mark[row] === 'skip') skips |= 1 << t;
        });
        tally.scores.push(found[i]?.score ?? 0);
        tally.hits.push(hits);
        tally.skips.push(skips);
      });
      tally.truths += truths.filter((j) => rankOf(truth[j]) === 0).length;
    });
  }

  /** One entry per class. */
  classes(): ClassPrecision[] {
    return this.#tallies.map((tally) => {
      if (tally.truths === 0) return { truths: 0, ap50: null, ap50_95: null, curve: [] };
      const order = byScore(tally);
      const curves = OVERLAPS.map((_, t) => curveOf(tally, order, 1 << t));
      const means = curves.map((curve) => curve.reduce((sum, value) => sum + value, 0) / curve.length);
      const ap50_95 = means.reduce((sum, value) => sum + value, 0) / means.length;
      return { truths: tally.truths, ap50: means[0] ?? 0, ap50_95, curve: curves[0] ?? [] };
    });
  }

  /** Findings of all classes at overlap 0.50, best first. */
  judged(): Judged[] {
    const all = this.#tallies.flatMap((tally, index) =>
      tally.scores.flatMap((score, i) =>
        ((tally.skips[i] ?? 0) & 1) === 1 ? [] : [{ class: index, score, hit: ((tally.hits[i] ?? 0) & 1) === 1 }],
      ),
    );
    return all.sort((a, b) => b.score - a.score);
  }

  /** Recalls that `curve` belongs to. */
  static readonly recalls = RECALLS;
}

function indices(entries: readonly { readonly class: number }[], index: number): number[] {
  return entries.flatMap((entry, i) => (entry.class === index ? [i] : []));
}

/** Truths that do not count come last. */
function rankOf(entry: TruthEntry | undefined): 0 | 1 {
  return entry !== undefined && (entry.crowd || entry.ignored) ? 1 : 0;
}

/** Each finding, best score first, takes the truth it overlaps most that is still free. */
function match(
  order: readonly number[],
  truth: readonly TruthEntry[],
  table: readonly (readonly number[])[],
  least: number,
): ('hit' | 'skip' | 'miss')[] {
  const taken = new Set<number>();
  return table.map((overlaps) => {
    let best = Math.min(least, 1 - 1e-10);
    let chosen = -1;
    for (let at = 0; at < order.length; at += 1) {
      const entry = truth[order[at] ?? -1];
      if (taken.has(at) && entry?.crowd !== true) continue;
      // A truth that counts is never given up for one that does not.
      if (chosen >= 0 && rankOf(truth[order[chosen] ?? -1]) === 0 && rankOf(entry) === 1) break;
      const here = overlaps[at] ?? 0;
      if (here < best) continue;
      best = here;
      chosen = at;
    }
    if (chosen < 0) return 'miss';
    taken.add(chosen);
    return rankOf(truth[order[chosen] ?? -1]) === 1 ? 'skip' : 'hit';
  });
}

function byScore(tally: Tally): number[] {
  return tally.scores.map((_, i) => i).sort((a, b) => (tally.scores[b] ?? 0) - (tally.scores[a] ?? 0));
}

function curveOf(tally: Tally, order: readonly number[], bit: number): number[] {
  const recalls: number[] = [];
  const precisions: number[] = [];
  let [hits, misses] = [0, 0];
  for (const i of order) {
    if (((tally.skips[i] ?? 0) & bit) === 0) {
      if (((tally.hits[i] ?? 0) & bit) === 0) misses += 1;
      else hits += 1;
    }
    recalls.push(hits / tally.truths);
    precisions.push(hits / (hits + misses + Number.EPSILON));
  }
  for (let i = precisions.length - 1; i > 0; i -= 1)
    precisions[i - 1] = Math.max(precisions[i - 1] ?? 0, precisions[i] ?? 0);
  let at = 0;
  return RECALLS.map((recall) => {
    while (at < recalls.length && (recalls[at] ?? 0) < recall) at += 1;
    return at < recalls.length ? (precisions[at] ?? 0) : 0;
  });
}
