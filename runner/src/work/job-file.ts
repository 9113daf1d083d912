import type { Limits, Verb } from '@trainyard/plugin-sdk';

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
  readonly evaluate?: { readonly split: string };
  readonly predict?: { readonly source: string; readonly topK?: number };
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
  evaluate: ['checkpoint', 'evaluate'],
  predict: ['checkpoint', 'predict'],
  export: ['checkpoint', 'export'],
} as const satisfies Record<Verb, readonly string[]>;

/** The object of job.json. Pure. A field appears exactly for the verbs that the contract names. */
export function buildJobFile(input: JobFileInput): Record<string, unknown> {
  const usesDataset = input.command === 'validate' || input.command === 'train' || input.command === 'evaluate';
  const special: Readonly<Record<string, unknown>> = {
    weights: null,
    resume: input.resume ?? null,
    checkpoint: input.checkpoint ?? null,
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
