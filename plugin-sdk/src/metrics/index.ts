/** Our own metrics, computed from predictions and labels: what the validator holds a trainer's figures against (contract.md §7, §9.3). */
export { recomputeMetrics, type RecomputeRequest } from './recompute-metrics.ts';
export { PredictionsError, type PredictionsProblem } from './predictions-error.ts';
export type { ConfusionMatrix, PerClassMetrics, PrCurve, RecomputedMetrics, TaskMetrics } from './recomputed.ts';
export { AveragePrecision, OVERLAPS, type FoundEntry, type Overlap, type TruthEntry } from './average-precision.ts';
export { boxIou, gaussianLikeness, ringIou } from './box-overlap.ts';
export { maskIou, maskOfRings, maskOfRle, type RunMask } from './run-mask.ts';
export { keypointSimilarity, sigmasOr } from './keypoint-similarity.ts';
