import type { Limits, Verb } from '@trainyard/plugin-sdk';

export interface Thresholds {
  readonly threshold?: number;
  readonly iou?: number;
}

/** Everything job.json may say (contract.md §5.2). Paths are relative to the job folder. */
export interface JobFileInput {
  readonly jobId: string;
  readonly attempt: number;
  readonly command: Verb;
  /** `@owner/name@version`. */
  readonly trainer: string;
  readonly task: string;
  readonly model: string;
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly configDigest: string | null;
  readonly seed: number;
  readonly dataset: { readonly format: string; readonly digest: string } | null;
  readonly device: { readonly kind: 'cpu' | 'cuda'; readonly count: number };
  readonly limits: Limits;
  readonly grace: number;
  readonly resume?: { readonly checkpoint: string; readonly step: number } | null;
  readonly checkpoint?: { readonly path: string; readonly sha256: string } | null;
  /** Initial weights of train; null = random. */
  readonly weights?: { readonly id: string; readonly path: string; readonly sha256: string } | null;
  /** An exported model that evaluate and predict use instead of a checkpoint. */
  readonly modelArtifact?: { readonly path: string; readonly format: string };
  readonly evaluate?: { readonly split: string } & Thresholds;
  readonly predict?: { readonly source: string; readonly topK?: number; readonly maxDetections?: number } & Thresholds;
  readonly export?: {
    readonly format: string;
    readonly precision: string;
    readonly dynamic: readonly string[];
    readonly options: Readonly<Record<string, unknown>>;
  };
}

const VERB_FIELDS = {
  describe: [],
  validate: [],
  train: ['weights', 'resume'],
  evaluate: ['checkpoint', 'modelArtifact', 'evaluate'],
  predict: ['checkpoint', 'modelArtifact', 'predict'],
  export: ['checkpoint', 'export'],
} as const satisfies Record<Verb, readonly string[]>;

/** The object of job.json. Pure. A field appears exactly for the verbs that the contract names. */
export function buildJobFile(input: JobFileInput): Record<string, unknown> {
  const usesDataset = input.command === 'validate' || input.command === 'train' || input.command === 'evaluate';
  const special: Readonly<Record<string, unknown>> = {
    weights: input.weights ?? null,
    resume: input.resume ?? null,
    checkpoint: input.checkpoint ?? null,
    modelArtifact: input.modelArtifact,
    evaluate: input.evaluate,
    predict: input.predict,
    export: input.export,
  };
  return {
    contract: '1.0',
    jobId: input.jobId,
    attempt: input.attempt,
    command: input.command,
    trainer: input.trainer,
    task: input.task,
    model: input.model,
    config: input.config,
    configDigest: input.configDigest,
    seed: input.seed,
    ...(usesDataset ? { dataset: input.dataset === null ? null : { path: 'dataset', ...input.dataset } } : {}),
    device: input.device,
    ...Object.fromEntries(
      VERB_FIELDS[input.command].filter((name) => special[name] !== undefined).map((name) => [name, special[name]]),
    ),
    limits: input.limits,
    grace: input.grace,
  };
}
