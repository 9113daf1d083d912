import { AveragePrecision, type FoundEntry, type Overlap, type TruthEntry } from './average-precision.ts';
import { ObjectConfusion } from './object-confusion.ts';
import { operatingPoint, type OperatingPoint } from './operating-point.ts';
import { confusionOf, meanOf, type PerClassMetrics, type TaskMetrics } from './recomputed.ts';

export interface ObjectRules {
  readonly names: readonly string[];
  /** Of each class in each picture; COCO has 100. */
  readonly maxDetections: number;
  /** For precision, recall and f1: absent takes the score where F1 is best. The confusion matrix takes 0.25 then. */
  readonly threshold?: number;
}

export const DRAWN_FROM = 0.25;

/** The figures of one way to compare objects: boxes, masks, poses or turned boxes. */
export class ObjectMetrics {
  readonly #rules: ObjectRules;
  readonly #precision: AveragePrecision;
  readonly #confusion: ObjectConfusion;

  constructor(rules: ObjectRules) {
    this.#rules = rules;
    this.#precision = new AveragePrecision(rules.names.length, rules.maxDetections);
    this.#confusion = new ObjectConfusion(rules.names.length, rules.threshold ?? DRAWN_FROM);
  }

  /** One picture. */
  add(truth: readonly TruthEntry[], found: readonly FoundEntry[], overlap: Overlap): void {
    const known = new Map<number, number>();
    const once: Overlap = (i, j) => {
      const key = i * truth.length + j;
      const value = known.get(key) ?? overlap(i, j);
      known.set(key, value);
      return value;
    };
    this.#precision.add(truth, found, once);
    this.#confusion.add(truth, found, once);
  }

  /** map50 and map50_95 over the classes that have truths. */
  means(): { readonly map50: number; readonly map50_95: number } {
    const classes = this.#precision.classes();
    return {
      map50: meanOf(classes.flatMap(({ ap50 }) => (ap50 === null ? [] : [ap50]))),
      map50_95: meanOf(classes.flatMap(({ ap50_95 }) => (ap50_95 === null ? [] : [ap50_95]))),
    };
  }

  /** With `prefix` before each name, as in `mask_map50`. */
  result(
    prefix = '',
  ): Omit<TaskMetrics, 'metrics'> & { readonly metrics: Record<string, number>; readonly f1: number } {
    const classes = this.#precision.classes();
    const truths = classes.map((item) => item.truths);
    const point: OperatingPoint = operatingPoint(this.#precision.judged(), truths, this.#rules.threshold);
    const { map50, map50_95 } = this.means();
    const named: Record<string, number> = { map50_95, map50, precision: point.precision, recall: point.recall };
    return {
      metrics: Object.fromEntries(Object.entries(named).map(([name, value]) => [`${prefix}${name}`, value])),
      f1: point.f1,
      perClass: this.#rules.names.map((name, index): PerClassMetrics => {
        const { ap50 = null, ap50_95 = null, truths: support = 0 } = classes[index] ?? {};
        const at = point.perClass[index] ?? { precision: 0, recall: 0, f1: 0 };
        return { index, name, support, ...(ap50 === null || ap50_95 === null ? {} : { ap50, ap50_95 }), ...at };
      }),
      curves: {
        pr: classes.flatMap(({ curve }, index) =>
          curve.length === 0 ? [] : [{ class: index, x: AveragePrecision.recalls, y: curve }],
        ),
      },
      threshold: point.threshold,
      ...confusionOf([...this.#rules.names, 'background'], this.#confusion.matrix),
    };
  }
}
