/** Seeded draws that give the same numbers on every host: only + − × ÷ and square roots, which IEEE 754 fixes to the last bit. */
import { createHash } from 'node:crypto';
import type { Point } from '../labelled-item.ts';
import { Random } from '../../trainer/random.ts';

/** Standard deviation of the sum of four bytes. */
const FOUR_BYTES = 147.80053;

export class Draws {
  readonly #random: Random;

  /** Each key has its own stream: one picture more changes no other. */
  constructor(key: string) {
    this.#random = new Random(createHash('sha256').update(key).digest().readUIntBE(0, 6));
  }

  uniform(from: number, to: number): number {
    return from + (to - from) * this.#random.next();
  }

  below(limit: number): number {
    return this.#random.below(limit);
  }

  /** Near enough to a bell curve: four bytes of one draw added up. */
  normal(deviation: number): number {
    const bits = this.#random.below(2 ** 32);
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
    return ((sum - 510) / FOUR_BYTES) * deviation;
  }

  /** Unit vector in a random direction, without sine and cosine: their last bits differ between engines. */
  direction(): Point {
    for (;;) {
      const [x, y] = [this.uniform(-1, 1), this.uniform(-1, 1)];
      const square = x * x + y * y;
      if (square > 1 || square < 0.01) continue;
      const length = Math.sqrt(square);
      return [x / length, y / length];
    }
  }
}
