/** What the metrics say; shaped like metrics.json (contract.md §7.2), with everything that can be computed filled in. */

export interface PerClassMetrics {
  readonly index: number;
  readonly name: string;
  /** Truths of the class: objects, pictures or pixels. */
  readonly support: number;
  /** Which of these there are depends on the task. */
  readonly precision?: number;
  readonly recall?: number;
  readonly f1?: number;
  readonly ap50?: number;
  readonly ap50_95?: number;
  readonly iou?: number;
  readonly dice?: number;
}

/** Rows are the truth; for objects the last row and column are the background. */
export interface ConfusionMatrix {
  readonly labels: readonly string[];
  readonly matrix: readonly (readonly number[])[];
}

export interface PrCurve {
  readonly class: number;
  /** Recall. */
  readonly x: readonly number[];
  /** Precision at that recall or more. */
  readonly y: readonly number[];
}

export interface TaskMetrics {
  readonly metrics: Readonly<Record<string, number>>;
  readonly perClass: readonly PerClassMetrics[];
  readonly confusion?: ConfusionMatrix;
  readonly curves?: { readonly pr: readonly PrCurve[] };
  /** The score from which on precision, recall and f1 count. */
  readonly threshold?: number;
}

export interface RecomputedMetrics extends TaskMetrics {
  readonly task: string;
  readonly split: string;
  readonly images: number;
  readonly primary: { readonly name: string; readonly value: number };
}

/** More classes make no readable matrix (contract.md §7.2). */
const MOST_SIDES = 201;

export function confusionOf(
  labels: readonly string[],
  matrix: readonly (readonly number[])[],
): { confusion?: ConfusionMatrix } {
  return labels.length > MOST_SIDES ? {} : { confusion: { labels, matrix } };
}

/** 0 when there is nothing to take the mean of. */
export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function ratioOf(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

export function f1Of(precision: number, recall: number): number {
  return ratioOf(2 * precision * recall, precision + recall);
}
