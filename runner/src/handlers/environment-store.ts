import type { BuiltEnvironment } from '../work/work-spec.ts';
import type { TrainerPackage } from '../work/read-package.ts';

export interface EnvironmentProgress {
  readonly sentence: string;
  /** 0 to 1; absent when unknown. */
  readonly progress?: number;
}

/** The environment could not be built; the message is for people, the detail holds the last lines. */
export class EnvironmentFailed extends Error {
  readonly detail: string;
  readonly hint: string;
  constructor(message: string, hint: string, detail: string) {
    super(message);
    this.hint = hint;
    this.detail = detail;
  }
}

/** Environments by release, built once. Calls for one release at the same time share the work. Throws `EnvironmentFailed`. */
export interface EnvironmentStore {
  ensure(
    trainer: TrainerPackage,
    report: (progress: EnvironmentProgress) => void,
    signal: AbortSignal,
  ): Promise<BuiltEnvironment>;
  /** Package digests whose environment is ready. */
  ready(): Promise<readonly string[]>;
}
