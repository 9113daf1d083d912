export type PredictionsProblem =
  /** Not a line of contract.md §7.3 for this task. */
  | 'prediction-invalid'
  | 'prediction-missing'
  | 'prediction-doubled'
  | 'prediction-unknown-image'
  | 'prediction-class'
  /** The mask file is missing, unreadable or of another size. */
  | 'prediction-mask'
  /** The dataset itself has no such split, or a label that cannot be read. */
  | 'truth-unreadable';

/** predictions.jsonl and the dataset do not go together; says where and how to mend it. */
export class PredictionsError extends Error {
  readonly code: PredictionsProblem;
  readonly file: string;
  /** 1-based; absent when it is about the whole file. */
  readonly line?: number;
  readonly fix: string;

  constructor(code: PredictionsProblem, where: { file: string; line?: number }, message: string, fix: string) {
    super(`${where.file}${where.line === undefined ? '' : `:${where.line}`}: ${message} ${fix}`);
    this.name = 'PredictionsError';
    this.code = code;
    this.file = where.file;
    if (where.line !== undefined) this.line = where.line;
    this.fix = fix;
  }
}
