import type { IndexMask } from '../dataset/labelled-item.ts';
import { confusionOf, meanOf, ratioOf, type TaskMetrics } from './recomputed.ts';

/** Pixels of this value in the truth are not looked at. */
export const IGNORED = 255;

/** Pixel counts over all pictures; one picture at a time. */
export class SemanticPixels {
  readonly #names: readonly string[];
  readonly #matrix: number[][];

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#matrix = names.map(() => names.map(() => 0));
  }

  /** Both masks have the same size and hold class indices only, the truth also 255. */
  add(truth: IndexMask, found: IndexMask): void {
    const classes = this.#names.length;
    const counts = new Float64Array(classes * classes);
    truth.data.forEach((wanted, i) => {
      const seen = found.data[i] ?? IGNORED;
      if (wanted < classes && seen < classes)
        counts[wanted * classes + seen] = (counts[wanted * classes + seen] ?? 0) + 1;
    });
    this.#matrix.forEach((row, wanted) => {
      for (let seen = 0; seen < classes; seen += 1)
        row[seen] = (row[seen] ?? 0) + (counts[wanted * classes + seen] ?? 0);
    });
  }

  result(): TaskMetrics {
    const perClass = this.#names.map((name, index) => {
      const hits = this.#matrix[index]?.[index] ?? 0;
      const support = (this.#matrix[index] ?? []).reduce((sum, count) => sum + count, 0);
      const found = this.#matrix.reduce((sum, row) => sum + (row[index] ?? 0), 0);
      const iou = ratioOf(hits, support + found - hits);
      return { index, name, support, found, hits, iou, dice: ratioOf(2 * hits, support + found) };
    });
    const present = perClass.filter(({ support, found }) => support + found > 0);
    const pixels = perClass.reduce((sum, { support }) => sum + support, 0);
    const hits = perClass.reduce((sum, item) => sum + item.hits, 0);
    return {
      metrics: {
        miou: meanOf(present.map(({ iou }) => iou)),
        pixel_accuracy: ratioOf(hits, pixels),
        dice: meanOf(present.map(({ dice }) => dice)),
      },
      perClass: perClass.map(({ index, name, support, iou, dice }) => ({ index, name, support, iou, dice })),
      ...confusionOf(this.#names, this.#matrix),
    };
  }
}
