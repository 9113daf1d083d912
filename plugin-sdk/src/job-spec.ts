import { Type, type Static } from 'typebox';
import { DIGEST_PATTERN } from './digest.ts';

/** What travels between hub and agents about one piece of work. */

export const JOB_KINDS = ['validate', 'prove', 'prepare', 'train', 'evaluate', 'predict', 'export'] as const;
export type JobKind = (typeof JOB_KINDS)[number];
export const JobKindSchema = Type.Unsafe<JobKind>(Type.Union(JOB_KINDS.map((kind) => Type.Literal(kind))));

export const JOB_STATES = ['queued', 'claimed', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

export const ATTEMPT_PHASES = ['claimed', 'preparing', 'running', 'stopping', 'collecting', 'ended'] as const;
export type AttemptPhase = (typeof ATTEMPT_PHASES)[number];
export const AttemptPhaseSchema = Type.Unsafe<AttemptPhase>(
  Type.Union(ATTEMPT_PHASES.map((phase) => Type.Literal(phase))),
);

export const RUN_STATES = ['queued', 'running', 'stopping', 'paused', 'succeeded', 'failed', 'cancelled'] as const;
export type RunState = (typeof RUN_STATES)[number];

const Digest = Type.String({ pattern: DIGEST_PATTERN });

export const Limits = Type.Object({
  cpus: Type.Integer({ minimum: 1 }),
  memoryBytes: Type.Integer({ minimum: 1 }),
  shmBytes: Type.Integer({ minimum: 0 }),
  maxSeconds: Type.Integer({ minimum: 1 }),
});
export type Limits = Static<typeof Limits>;

export const FileEntry = Type.Object({
  path: Type.String({ minLength: 1, maxLength: 512 }),
  bytes: Type.Integer({ minimum: 0 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
export type FileEntry = Static<typeof FileEntry>;

/** A checkpoint or export of an earlier attempt, as files by digest. */
export const StoredArtifact = Type.Object({
  id: Type.String(),
  name: Type.String(),
  path: Type.String(),
  sha256: Type.String(),
  step: Type.Optional(Type.Integer()),
  meta: Type.Record(Type.String(), Type.Unknown()),
  files: Type.Array(FileEntry),
});
export type StoredArtifact = Static<typeof StoredArtifact>;

export const ReleaseRef = Type.Object({
  id: Type.String(),
  name: Type.String(),
  version: Type.String(),
  packageDigest: Digest,
  packageBytes: Type.Integer(),
});
export type ReleaseRef = Static<typeof ReleaseRef>;

/** Initial weights of a model: one file by digest. */
export const WeightsRef = Type.Object({
  /** Id in the manifest, or of an uploaded file. */
  id: Type.String({ minLength: 1, maxLength: 64 }),
  name: Type.String({ minLength: 1, maxLength: 255 }),
  bytes: Type.Integer({ minimum: 1 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
export type WeightsRef = Static<typeof WeightsRef>;

/** Scores below `threshold` are left out; boxes that overlap more than `iou` count as one. */
const Thresholds = {
  threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  iou: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
};

/** Frozen when the job is made; never changed. Verbs of a run. */
export const RunJobSpec = Type.Object({
  kind: Type.Union([Type.Literal('train'), Type.Literal('evaluate'), Type.Literal('predict'), Type.Literal('export')]),
  run: Type.String(),
  release: ReleaseRef,
  task: Type.String(),
  model: Type.String(),
  config: Type.Record(Type.String(), Type.Unknown()),
  configDigest: Digest,
  seed: Type.Integer(),
  dataset: Type.Union([
    Type.Null(),
    Type.Object({ snapshot: Type.String(), digest: Digest, format: Type.String(), task: Type.String() }),
  ]),
  device: Type.Object({
    kind: Type.Union([Type.Literal('cpu'), Type.Literal('cuda')]),
    count: Type.Integer({ minimum: 1 }),
  }),
  limits: Limits,
  grace: Type.Integer({ minimum: 1 }),
  /** train: initial weights, a file that the hub keeps by digest. Absent or null = random. */
  weights: Type.Optional(Type.Union([Type.Null(), WeightsRef])),
  /** Checkpoint that evaluate, predict and export work on. */
  checkpoint: Type.Union([Type.Null(), StoredArtifact]),
  /** evaluate, predict: an exported model instead of the checkpoint. */
  modelArtifact: Type.Optional(
    Type.Union([Type.Null(), Type.Object({ format: Type.String(), artifact: StoredArtifact })]),
  ),
  evaluate: Type.Optional(Type.Object({ split: Type.String(), ...Thresholds })),
  predict: Type.Optional(
    Type.Object({
      images: Type.Array(FileEntry),
      topK: Type.Optional(Type.Integer()),
      maxDetections: Type.Optional(Type.Integer()),
      ...Thresholds,
    }),
  ),
  export: Type.Optional(
    Type.Object({
      format: Type.String(),
      precision: Type.String(),
      dynamic: Type.Array(Type.String()),
      options: Type.Record(Type.String(), Type.Unknown()),
    }),
  ),
});
export type RunJobSpec = Static<typeof RunJobSpec>;

const Judged = { release: ReleaseRef, policy: Type.String() };
/** Goes as far as L1: it decides whether a release is published. */
export const ValidateJobSpec = Type.Object({ kind: Type.Literal('validate'), ...Judged });
export type ValidateJobSpec = Static<typeof ValidateJobSpec>;
/** After publishing: all stages again and those that take minutes, up to L3. */
export const ProveJobSpec = Type.Object({ kind: Type.Literal('prove'), ...Judged });
export type ProveJobSpec = Static<typeof ProveJobSpec>;

/** Builds the environment of a bundled package before it is submitted. */
export const PrepareJobSpec = Type.Object({ kind: Type.Literal('prepare'), release: ReleaseRef });
export type PrepareJobSpec = Static<typeof PrepareJobSpec>;

export const JobSpec = Type.Union([RunJobSpec, ValidateJobSpec, ProveJobSpec, PrepareJobSpec]);
export type JobSpec = Static<typeof JobSpec>;

export const Outcome = Type.Object({
  state: Type.Union([Type.Literal('succeeded'), Type.Literal('failed'), Type.Literal('stopped'), Type.Literal('lost')]),
  /** For `stopped`: who asked. */
  cause: Type.Optional(Type.Union([Type.Literal('cancelled'), Type.Literal('timed_out'), Type.Literal('preempted')])),
  /** Failure code, contract.md §5.6. */
  code: Type.Optional(Type.String({ maxLength: 64 })),
  message: Type.Optional(Type.String({ maxLength: 4096 })),
  hint: Type.Optional(Type.String({ maxLength: 4096 })),
  detail: Type.Optional(Type.String({ maxLength: 16_384 })),
  exit: Type.Optional(Type.Integer()),
  /** False when the trainer itself forbade a new attempt. */
  retryable: Type.Optional(Type.Boolean()),
  /** True when something that was asked to be saved is missing. */
  unclean: Type.Optional(Type.Boolean()),
  /** Result of the kind: a Report for validate, final metrics for runs. */
  result: Type.Optional(Type.Unknown()),
});
export type Outcome = Static<typeof Outcome>;

/** What an agent can carry out now. */
export const Offer = Type.Object({
  backend: Type.String(),
  wall: Type.Union([Type.Literal('none'), Type.Literal('userns'), Type.Literal('container'), Type.Literal('pod')]),
  devices: Type.Array(Type.Object({ kind: Type.String(), name: Type.String(), count: Type.Integer() })),
  cpus: Type.Integer(),
  memoryBytes: Type.Integer(),
  pythons: Type.Array(Type.String()),
  nodes: Type.Array(Type.String()),
  /** Why something is not offered, in sentences. */
  notes: Type.Array(Type.String()),
});
export type Offer = Static<typeof Offer>;

/** Timings of leases as one object, so that tests scale them together. Seconds. */
export const LEASE = { lease: 60, renew: 15, reap: 10, survive: 300, claimWait: 25 } as const;
export type LeaseTimings = { readonly [K in keyof typeof LEASE]: number };
