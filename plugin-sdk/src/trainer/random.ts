/** A small seeded generator (sfc32) whose state can be saved, so that a resumed run draws what it would have drawn. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = (seed / 2 ** 32) | 0;
    this.#c = 0x9e3779b9 | 0;
    this.#counter = 1;
    for (let round = 0; round < 15; round += 1) this.next();
  }

  static restore(state: readonly number[]): Random {
    const random = new Random(0);
    [random.#a = 0, random.#b = 0, random.#c = 0, random.#counter = 0] = state;
    return random;
  }

  get state(): readonly number[] {
    return [this.#a, this.#b, this.#c, this.#counter];
  }

  /** Uniform in [0, 1). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** Whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** Standard normal. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  shuffle(list: Int32Array | number[]): void {
    for (let at = list.length - 1; at > 0; at -= 1) {
      const other = this.below(at + 1);
      const held = list[at] ?? 0;
      list[at] = list[other] ?? 0;
      list[other] = held;
    }
  }
}
