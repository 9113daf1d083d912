import type { CheckpointStore } from './checkpoint-store.ts';
import type { Dataset } from './dataset-folder.ts';
import type { EffectiveConfig } from './effective-config.ts';
import type { EventWriter } from './event-writer.ts';
import type { InitialWeights } from './initial-weights.ts';
import type { Job } from './job-file.ts';
import type { JsonObject } from './json-value.ts';
import type { StopWatch } from './stop-watch.ts';
import type { TrainerPackage } from './trainer-package.ts';
import type { UsageMeter } from './usage-meter.ts';

export type Phase = 'prepare' | 'train' | 'evaluate' | 'export' | 'predict' | 'finalize';

export interface CheckpointState {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly step: number;
  /** Epochs done; a fraction inside an epoch. */
  readonly epoch: number;
  readonly format?: string;
  /** Value of the metric that decides `best`, when this checkpoint was validated. */
  readonly metric?: number;
  readonly periodic?: boolean;
}

export interface RunParts {
  readonly job: Job;
  readonly trainer: TrainerPackage;
  readonly config: JsonObject;
  readonly options: JsonObject;
  readonly weights: InitialWeights;
  readonly dataset: Dataset | null;
  readonly writer: EventWriter;
  readonly watch: StopWatch;
  readonly usage: UsageMeter;
  readonly effective: EffectiveConfig;
  readonly store: CheckpointStore | null;
  readonly decides: { readonly name: string; readonly minimise: boolean };
}
