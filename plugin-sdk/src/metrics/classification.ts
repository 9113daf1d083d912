import { scoreClassification, type ClassScore } from '../trainer/scores.ts';
import { confusionOf, type TaskMetrics } from './recomputed.ts';

/** One picture after the other; only the five best classes are kept. */
export class Classification {
  readonly #names: readonly string[];
  readonly #truth: number[] = [];
  readonly #ranked: ClassScore[][] = [];

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  add(truth: number, found: readonly ClassScore[]): void {
    this.#truth.push(truth);
    this.#ranked.push([...found].sort((a, b) => b.score - a.score || a.class - b.class).slice(0, 5));
  }

  result(): TaskMetrics {
    const { metrics, perClass, confusion } = scoreClassification(this.#truth, this.#ranked, this.#names);
    return { metrics, perClass, ...confusionOf(this.#names, confusion) };
  }
}
