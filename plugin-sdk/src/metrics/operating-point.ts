import type { Judged } from './average-precision.ts';
import { f1Of, meanOf, ratioOf } from './recomputed.ts';

export interface ClassPoint {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface OperatingPoint extends ClassPoint {
  /** Findings with this score or more count. */
  readonly threshold: number;
  readonly perClass: readonly ClassPoint[];
}

/**
 * Pure: precision, recall and F1 at overlap 0.50, as means over the classes that have truths; where F1 is best, or at the threshold given.
 * `judged` is sorted, best score first; `truths[c]` counts the truths of class c.
 */
export function operatingPoint(
  judged: readonly Judged[],
  truths: readonly number[],
  threshold?: number,
): OperatingPoint {
  const hits = truths.map(() => 0);
  const found = truths.map(() => 0);
  const present = truths.filter((count) => count > 0).length;
  const f1s = truths.map(() => 0);
  let sum = 0;
  let best = { at: threshold ?? 1, f1: -1, hits: [...hits], found: [...found] };
  if (threshold !== undefined) best = { ...best, f1: 0 };
  for (const [i, { class: index, score, hit }] of judged.entries()) {
    if (threshold !== undefined && score < threshold) break;
    found[index] = (found[index] ?? 0) + 1;
    if (hit) hits[index] = (hits[index] ?? 0) + 1;
    const count = truths[index] ?? 0;
    if (count > 0) {
      const f1 = f1Of(ratioOf(hits[index] ?? 0, found[index] ?? 0), ratioOf(hits[index] ?? 0, count));
      sum += f1 - (f1s[index] ?? 0);
      f1s[index] = f1;
    }
    // Equal scores stand or fall together.
    if (judged[i + 1]?.score === score) continue;
    if (threshold !== undefined) best = { ...best, hits: [...hits], found: [...found] };
    else if (sum / present > best.f1 + 1e-12)
      best = { at: score, f1: sum / present, hits: [...hits], found: [...found] };
  }
  const perClass = truths.map((count, index) => {
    const precision = ratioOf(best.hits[index] ?? 0, best.found[index] ?? 0);
    const recall = ratioOf(best.hits[index] ?? 0, count);
    return { precision, recall, f1: f1Of(precision, recall) };
  });
  const counted = perClass.filter((_, index) => (truths[index] ?? 0) > 0);
  return {
    threshold: best.at,
    precision: meanOf(counted.map((point) => point.precision)),
    recall: meanOf(counted.map((point) => point.recall)),
    f1: meanOf(counted.map((point) => point.f1)),
    perClass,
  };
}
