import { Type, type Static } from 'typebox';
import { events, route, stream } from './route.ts';
import { Id, Json, MaybeNumber, MaybeText, MaybeTime, page, PageQuery, RunParams, Time, WaitReason } from './shapes.ts';

export const RunInput = Type.Object({
  verb: Type.Union([Type.Literal('train'), Type.Literal('evaluate'), Type.Literal('predict'), Type.Literal('export')]),
  name: Type.Optional(Type.String({ maxLength: 80 })),
  /** train: `owner/name` (with or without @) and an optional version; the newest published one otherwise. */
  trainer: Type.Optional(Type.String({ maxLength: 128 })),
  version: Type.Optional(Type.String({ maxLength: 64 })),
  task: Type.Optional(Type.String({ maxLength: 64 })),
  model: Type.Optional(Type.String({ maxLength: 64 })),
  dataset: Type.Optional(Id),
  snapshot: Type.Optional(Id),
  preset: Type.Optional(Type.String({ maxLength: 64 })),
  config: Type.Optional(Json),
  device: Type.Optional(Type.Union([Type.Literal('cpu'), Type.Literal('cuda')])),
  maxSeconds: Type.Optional(Type.Integer({ minimum: 10, maximum: 2_592_000 })),
  /** train: initial weights by their id in the manifest, or by the digest of an uploaded file; random when absent. */
  weights: Type.Optional(Type.String({ minLength: 1, maxLength: 80 })),
  /** evaluate, predict, export: a checkpoint (artifact id) of an earlier run. */
  checkpoint: Type.Optional(Id),
  /** evaluate, predict: an export (artifact id) instead of a checkpoint. */
  export: Type.Optional(Id),
  /** predict: pictures that were uploaded for it. */
  pictures: Type.Optional(Id),
  threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  iou: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  maxDetections: Type.Optional(Type.Integer({ minimum: 1, maximum: 3000 })),
  topK: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  split: Type.Optional(Type.Union([Type.Literal('val'), Type.Literal('test'), Type.Literal('train')])),
  /** predict: paths of pictures of the snapshot; all of `split` when that is given; some of val and test otherwise. */
  images: Type.Optional(Type.Array(Type.String({ maxLength: 512 }), { maxItems: 100 })),
  format: Type.Optional(Type.String({ maxLength: 32 })),
  options: Type.Optional(Json),
});
export type RunInput = Static<typeof RunInput>;

export const Preflight = Type.Object({
  ok: Type.Boolean(),
  /** One sentence each, with where it can be mended. */
  problems: Type.Array(
    Type.Object({
      code: Type.String(),
      pointer: Type.Optional(Type.String()),
      message: Type.String(),
      fix: Type.String(),
      href: Type.Optional(Type.String()),
    }),
  ),
  warnings: Type.Array(Type.Object({ code: Type.String(), message: Type.String() })),
  config: Json,
  configDigest: MaybeText,
  estimate: Type.Union([Type.Null(), Type.Object({ seconds: Type.Number(), from: Type.String() })]),
});
export type Preflight = Static<typeof Preflight>;

export const RunShape = Type.Object({
  id: Id,
  name: Type.String(),
  verb: Type.String(),
  state: Type.String(),
  phase: MaybeText,
  /** "Running, epoch 7 of 15, about 2 minutes left". */
  sentence: Type.String(),
  waiting: Type.Union([Type.Null(), WaitReason]),
  trainer: Type.Object({
    owner: Type.String(),
    name: Type.String(),
    version: Type.String(),
    title: Type.String(),
    releaseId: Id,
  }),
  task: Type.String(),
  model: Type.String(),
  dataset: Type.Union([Type.Null(), Type.Object({ id: Id, name: Type.String(), snapshot: Id, digest: Type.String() })]),
  owner: Type.String(),
  sample: Type.Boolean(),
  visibility: Type.String(),
  progress: Type.Union([
    Type.Null(),
    Type.Object({ unit: Type.String(), current: Type.Number(), total: MaybeNumber, etaSeconds: MaybeNumber }),
  ]),
  primary: Type.Union([
    Type.Null(),
    Type.Object({
      name: Type.String(),
      direction: Type.String(),
      best: MaybeNumber,
      bestStep: MaybeNumber,
      last: MaybeNumber,
    }),
  ]),
  createdAt: Time,
  startedAt: MaybeTime,
  endedAt: MaybeTime,
  failure: Type.Union([
    Type.Null(),
    Type.Object({
      code: Type.String(),
      message: Type.String(),
      hint: MaybeText,
      detail: MaybeText,
      remedy: Type.Union([Type.Null(), Json]),
    }),
  ]),
  /** The run whose checkpoint this one works on. */
  parent: Type.Union([Type.Null(), Id]),
});
export type RunShape = Static<typeof RunShape>;

export const CheckpointShape = Type.Object({
  id: Id,
  name: Type.String(),
  attempt: Type.Integer(),
  step: Type.Integer(),
  epoch: MaybeNumber,
  kinds: Type.Array(Type.String()),
  bytes: Type.Integer(),
  sha256: Type.String(),
  format: Type.String(),
  resumable: Type.Boolean(),
  metric: Type.Union([Type.Null(), Type.Object({ name: Type.String(), value: MaybeNumber })]),
  createdAt: Time,
});
export const ArtifactShape = Type.Object({
  id: Id,
  kind: Type.String(),
  path: Type.String(),
  title: MaybeText,
  mediaType: Type.String(),
  bytes: Type.Integer(),
  sha256: Type.String(),
  createdAt: Time,
});
export const ExportShape = Type.Object({
  id: Id,
  run: Id,
  format: Type.String(),
  precision: Type.String(),
  bytes: Type.Integer(),
  sha256: Type.String(),
  createdAt: Time,
  /** Name of the checkpoint it was made from, as its run calls it. */
  checkpoint: Type.String(),
  /** Null where that checkpoint is gone. */
  checkpointId: Type.Union([Type.Null(), Id]),
  parity: Type.Union([
    Type.Null(),
    Type.Object({
      /** Declared: nobody could open the file here; `reason` says why. */
      state: Type.Union([Type.Literal('proven'), Type.Literal('declared'), Type.Literal('refuted')]),
      passed: Type.Boolean(),
      maxAbs: MaybeNumber,
      tolerance: MaybeNumber,
      runtime: Type.String(),
      by: Type.String(),
      reason: MaybeText,
    }),
  ]),
  files: Type.Array(Type.Object({ path: Type.String(), bytes: Type.Integer(), sha256: Type.String() })),
});
export const AttemptShape = Type.Object({
  number: Type.Integer(),
  job: Id,
  phase: Type.String(),
  sentence: MaybeText,
  outcome: MaybeText,
  code: MaybeText,
  message: MaybeText,
  startedAt: Time,
  endedAt: MaybeTime,
  agent: MaybeText,
  resumedStep: MaybeNumber,
});
export const RunDetail = Type.Object({
  run: RunShape,
  config: Type.Object({
    requested: Json,
    preset: MaybeText,
    resolved: Json,
    digest: Type.String(),
    effective: Type.Union([Type.Null(), Json]),
    schema: Type.Union([Type.Null(), Json]),
  }),
  seed: Type.Integer(),
  device: Type.String(),
  /** What training started from; null for random weights and for other verbs. */
  weights: Type.Union([Type.Null(), Type.Object({ id: Type.String(), name: Type.String(), sha256: Type.String() })]),
  attempts: Type.Array(AttemptShape),
  checkpoints: Type.Array(CheckpointShape),
  artifacts: Type.Array(ArtifactShape),
  exports: Type.Array(ExportShape),
  /** metrics.json of an evaluation, predictions of a predict run. */
  metrics: Type.Union([Type.Null(), Json]),
  predictions: Type.Array(Json),
  children: Type.Array(
    Type.Object({
      id: Id,
      verb: Type.String(),
      state: Type.String(),
      /** Id of the checkpoint it works on. */
      checkpoint: Type.Union([Type.Null(), Id]),
      createdAt: Time,
    }),
  ),
  exportFormats: Type.Array(Type.String()),
  can: Type.Object({
    stop: Type.Boolean(),
    pause: Type.Boolean(),
    resume: Type.Boolean(),
    repeat: Type.Boolean(),
    export: Type.Boolean(),
    evaluate: Type.Boolean(),
    predict: Type.Boolean(),
  }),
});
export type RunDetail = Static<typeof RunDetail>;

export const preflightRun = route({
  id: 'preflightRun',
  method: 'POST',
  path: '/api/v1/runs/preflight',
  action: 'run.preflight',
  access: 'user',
  scope: 'runs:read',
  readOnly: true,
  summary: 'What would start, and what stops it',
  body: RunInput,
  reply: Preflight,
});
export const startRun = route({
  id: 'startRun',
  method: 'POST',
  path: '/api/v1/runs',
  action: 'run.created',
  access: 'user',
  scope: 'runs:write',
  summary: 'Start a run',
  body: RunInput,
  reply: RunShape,
  status: 201,
});
export const listRuns = route({
  id: 'listRuns',
  method: 'GET',
  path: '/api/v1/runs',
  action: 'run.read',
  access: 'visitor',
  scope: 'runs:read',
  summary: 'Runs the caller may see, newest first',
  query: Type.Object({
    state: Type.Optional(Type.String({ maxLength: 100 })),
    trainer: Type.Optional(Type.String({ maxLength: 128 })),
    verb: Type.Optional(Type.String({ maxLength: 16 })),
    mine: Type.Optional(Type.Boolean()),
    ...PageQuery,
  }),
  reply: page(RunShape),
});
export const getRun = route({
  id: 'getRun',
  method: 'GET',
  path: '/api/v1/runs/:run',
  action: 'run.read',
  access: 'visitor',
  scope: 'runs:read',
  summary: 'One run with everything it made',
  params: RunParams,
  reply: RunDetail,
});
export const stopRun = route({
  id: 'stopRun',
  method: 'POST',
  path: '/api/v1/runs/:run/stop',
  action: 'run.cancelled',
  access: 'user',
  scope: 'runs:write',
  summary: 'Cancel or pause; the checkpoint is kept',
  params: RunParams,
  body: Type.Object({ what: Type.Union([Type.Literal('cancel'), Type.Literal('pause')]) }),
  reply: RunShape,
});
export const resumeRun = route({
  id: 'resumeRun',
  method: 'POST',
  path: '/api/v1/runs/:run/resume',
  action: 'run.resumed',
  access: 'user',
  scope: 'runs:write',
  summary: 'Go on from the last checkpoint',
  params: RunParams,
  reply: RunShape,
});
export const SeriesShape = Type.Object({
  name: Type.String(),
  split: Type.String(),
  count: Type.Integer(),
  /** Each point or bucket: step, value (last of the bucket), min, max. Steps rise. Non-finite values are null. */
  points: Type.Array(Type.Tuple([Type.Number(), MaybeNumber, MaybeNumber, MaybeNumber])),
});
export const readSeries = route({
  id: 'readSeries',
  method: 'GET',
  path: '/api/v1/runs/:run/series',
  action: 'run.read',
  access: 'visitor',
  scope: 'runs:read',
  summary: 'Metric curves, thinned with min and max kept',
  params: RunParams,
  query: Type.Object({
    width: Type.Optional(Type.Integer({ minimum: 10, maximum: 4000 })),
    names: Type.Optional(Type.String({ maxLength: 2000 })),
  }),
  reply: Type.Object({
    series: Type.Array(SeriesShape),
    /** Id to continue the live stream from. */ cursor: Type.String(),
    resumedAt: Type.Array(Type.Integer()),
  }),
});
export const readLog = route({
  id: 'readLog',
  method: 'GET',
  path: '/api/v1/runs/:run/log',
  action: 'run.read',
  access: 'visitor',
  scope: 'runs:read',
  summary: 'Log text in order of arrival',
  params: RunParams,
  query: Type.Object({
    after: Type.Optional(Type.Integer({ minimum: 0 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  }),
  reply: Type.Object({
    chunks: Type.Array(
      Type.Object({ id: Type.Integer(), attempt: Type.Integer(), stream: Type.String(), text: Type.String() }),
    ),
    next: Type.Integer(),
    more: Type.Boolean(),
    dropped: Type.Integer(),
  }),
});
export const downloadLog = route({
  id: 'downloadLog',
  method: 'GET',
  path: '/api/v1/runs/:run/log.txt',
  action: 'run.read',
  access: 'visitor',
  scope: 'runs:read',
  summary: 'The whole log as text',
  params: RunParams,
  reply: stream(['text/plain'], 0),
});
/** Metric points of one message share a step; `id` of the message resumes. `reset` tells the client to read the series again. */
export const RunLive = Type.Union([
  Type.Object({
    type: Type.Literal('metric'),
    attempt: Type.Integer(),
    points: Type.Array(Type.Tuple([Type.String(), Type.String(), Type.Number(), MaybeNumber])),
  }),
  Type.Object({ type: Type.Literal('run'), run: RunShape }),
  Type.Object({
    type: Type.Literal('log'),
    attempt: Type.Integer(),
    stream: Type.String(),
    text: Type.String(),
    chunk: Type.Integer(),
  }),
  Type.Object({ type: Type.Literal('artifacts') }),
  Type.Object({ type: Type.Literal('reset') }),
]);
export type RunLive = Static<typeof RunLive>;
export const streamRun = route({
  id: 'streamRun',
  method: 'GET',
  path: '/api/v1/runs/:run/stream',
  action: 'run.read',
  access: 'visitor',
  scope: 'runs:read',
  summary: 'State, metrics and log while it runs',
  params: RunParams,
  query: Type.Object({ after: Type.Optional(Type.String({ maxLength: 64 })), log: Type.Optional(Type.Boolean()) }),
  reply: events(RunLive),
});
export const downloadArtifact = route({
  id: 'downloadArtifact',
  method: 'GET',
  path: '/api/v1/artifacts/:artifact/download',
  action: 'artifact.downloaded',
  access: 'visitor',
  scope: 'exports:read',
  summary: 'A file, or several as one .zip',
  params: Type.Object({ artifact: Id }),
  query: Type.Object({ file: Type.Optional(Type.String({ maxLength: 512 })) }),
  reply: stream(['*/*'], 0),
});
export const signDownload = route({
  id: 'signDownload',
  method: 'POST',
  path: '/api/v1/artifacts/:artifact/link',
  action: 'artifact.downloaded',
  access: 'visitor',
  scope: 'exports:read',
  readOnly: true,
  summary: 'A link to one file that works without signing in for 15 minutes',
  params: Type.Object({ artifact: Id }),
  body: Type.Object({ file: Type.Optional(Type.String({ maxLength: 512 })) }),
  reply: Type.Object({ url: Type.String(), expiresAt: Time }),
});
