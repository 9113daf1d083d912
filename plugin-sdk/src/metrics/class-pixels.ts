import { meanOf } from './recomputed.ts';
import { sharedPixels, unionOf, type RunMask } from './run-mask.ts';

interface ClassMask {
  readonly class: number;
  readonly mask: RunMask | undefined;
}

/** The masks of a class in a picture taken together: shared pixels over all pixels, counted over all pictures. */
export class ClassPixels {
  readonly #shared: number[];
  readonly #all: number[];

  constructor(classes: number) {
    this.#shared = Array.from({ length: classes }, () => 0);
    this.#all = Array.from({ length: classes }, () => 0);
  }

  /** One picture. */
  add(truth: readonly ClassMask[], found: readonly ClassMask[]): void {
    for (const index of new Set([...truth, ...found].map((entry) => entry.class))) {
      const [wanted, seen] = [together(truth, index), together(found, index)];
      const shared = sharedPixels(wanted, seen);
      this.#shared[index] = (this.#shared[index] ?? 0) + shared;
      this.#all[index] = (this.#all[index] ?? 0) + wanted.area + seen.area - shared;
    }
  }

  /** Over the classes that have a pixel in truth or answer. */
  miou(): number {
    return meanOf(this.#all.flatMap((all, index) => (all === 0 ? [] : [(this.#shared[index] ?? 0) / all])));
  }
}

function together(entries: readonly ClassMask[], index: number): RunMask {
  return unionOf(entries.flatMap((entry) => (entry.class === index && entry.mask !== undefined ? [entry.mask] : [])));
}
