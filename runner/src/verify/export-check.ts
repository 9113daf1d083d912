/** What is asked of a check of an exported model, and what it answers (contract.md §8.6, §8.7, §9.4). */

export type ClaimState = 'declared' | 'proven' | 'refuted';

/** The Check of contract.md §9.4 that a refuted export broke. */
export type ExportCheckId =
  | 'export-files'
  | 'export-metadata'
  | 'export-clean'
  | 'export-data-only'
  | 'export-loads'
  | 'export-parity'
  | 'export-selftest';

/** An interpreter with the runtimes of validator/checkers/requirements.lock. */
export interface Checkers {
  readonly python: string;
}

/** What the checkpoint answered for pictures: the export must answer the same. */
export interface ReferencePredictions {
  /** predictions.jsonl of `predict` or `evaluate` with the checkpoint. */
  readonly predictions: string;
  /** The folder that its `image` paths start from. */
  readonly images: string;
  /** How many lines are compared, from the first; default 16. */
  readonly most?: number;
}

export interface CheckLimits {
  /** Default 120 for ONNX in Node, 300 for the Python checkers. */
  readonly maxSeconds?: number;
  /** Default 4 GiB. */
  readonly memoryBytes?: number;
  readonly signal?: AbortSignal;
}

export interface VerifyExportRequest extends CheckLimits {
  /** The `output/export` folder of an attempt: metadata.json, the model, selftest/. */
  readonly exportFolder: string;
  /** The format that was asked for; metadata.json must say the same. */
  readonly format: string;
  /** The Python checkers; absent or null: only ONNX can be checked, other formats stay declared. */
  readonly checkers?: Checkers | null;
  readonly reference?: ReferencePredictions;
  /** Instead of the contract's tolerances. */
  readonly tolerance?: number;
}

export interface VerifiedOutput {
  readonly name: string;
  readonly maxAbs: number;
  readonly meanAbs: number;
  /** Null: no number is judged, only agreement on the class or finite values. */
  readonly tolerance: number | null;
}

export interface ExportCheck {
  readonly state: ClaimState;
  /** Which Check was broken; null unless refuted. */
  readonly check: ExportCheckId | null;
  /** `onnxruntime-node 1.30.0`, `openvino 2026.4.1`, …; empty when nothing opened it. */
  readonly runtime: string;
  readonly maxAbs: number | null;
  readonly meanAbs: number | null;
  /** Inputs that went through the model: the self-test, a batch of two where batch is dynamic, the pictures of the reference. */
  readonly inputs: number;
  readonly outputs: readonly VerifiedOutput[];
  /** Share of equal answers (contract.md §8.6) over self-test and reference; null when nothing was decoded. */
  readonly agreement: number | null;
  /** One sentence why it is refuted or only declared; null when proven. */
  readonly reason: string | null;
  /** Median of 20 runs of the self-test's input on one CPU thread; null when not measured. */
  readonly milliseconds: number | null;
}

export interface PredictExportRequest extends CheckLimits {
  readonly exportFolder: string;
  readonly format: string;
  readonly checkers: Checkers;
  /** The folder that the paths of `list` start from. */
  readonly images: string;
  /** Picture paths, as predictions.jsonl shall name them; their order is kept. */
  readonly list: readonly string[];
  /** Empty folder: gets predictions.jsonl (and masks/NNNN.png for semantic). */
  readonly output: string;
  /** Instead of the score of metadata's `threshold` op; a metric wants 0.001. */
  readonly threshold?: number;
}

export interface PredictedExport {
  /** Null: it could not be carried out, see `reason`. */
  readonly predictions: string | null;
  readonly runtime: string;
  readonly reason: string | null;
}

/** One thing that is wrong with the files of an export. */
export interface ExportFault {
  readonly check: ExportCheckId;
  /** Path inside the export folder. */
  readonly file: string;
  readonly message: string;
  readonly evidence?: string;
  readonly fix: string;
}
