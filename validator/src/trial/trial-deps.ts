import type { Backend } from '@trainyard/runner/backends';

/** Seconds that a trial may take before it counts as one that never ends. */
export interface TrialLimits {
  readonly describe: number;
  readonly validate: number;
  readonly train: number;
  readonly evaluate: number;
  /** Wait for the first sign of training before the stop is sent all the same. */
  readonly signOfTraining: number;
  readonly grace: number;
  /** Output, checkpoints, temporary files and log of one trial together. */
  readonly diskBytes: number;
}

/** Describe has 10 s by contract, three times that on a busy machine. */
export const TRIAL_LIMITS: TrialLimits = {
  describe: 30,
  validate: 90,
  train: 180,
  evaluate: 120,
  signOfTraining: 60,
  grace: 30,
  diskBytes: 4 * 1024 * 1024 * 1024,
};

export interface TrialDeps {
  readonly backend: Backend;
  readonly installation: string;
  readonly root: string;
  readonly limits: TrialLimits;
  readonly signal: AbortSignal;
}
