import { Type, type Static } from 'typebox';
import { events, multipart, route, stream } from './route.ts';
import {
  FindingShape,
  Id,
  Json,
  MaybeNumber,
  MaybeText,
  MaybeTime,
  NameParam,
  OwnerParam,
  page,
  PageQuery,
  ReleaseIdParams,
  ReleaseParams,
  ReportShape,
  StageShape,
  Time,
  TrainerParams,
  WaitReason,
} from './shapes.ts';

export const RELEASE_STATES = [
  'submitted',
  'validating',
  'published',
  'deprecated',
  'yanked',
  'rejected',
  'quarantined',
] as const;
export type ReleaseState = (typeof RELEASE_STATES)[number];
export const PACKAGE_MEDIA_TYPES = ['application/gzip', 'application/x-gzip', 'application/octet-stream'];
export const MAX_PACKAGE_BYTES = 20 * 1024 * 1024;

export const TrainerCard = Type.Object({
  owner: OwnerParam,
  name: NameParam,
  title: Type.String(),
  summary: Type.String(),
  version: Type.String(),
  releaseId: Id,
  license: Type.String(),
  framework: Type.Object({ name: Type.String(), version: Type.String() }),
  tasks: Type.Array(Type.String()),
  exports: Type.Array(Type.String()),
  devices: Type.Array(Type.String()),
  level: Type.String(),
  official: Type.Boolean(),
  state: Type.String(),
  publishedAt: Time,
  /** Measured here: finished runs, share of them that succeeded, median seconds of the successful ones. */
  runs: Type.Object({ finished: Type.Integer(), succeeded: Type.Integer(), medianSeconds: MaybeNumber }),
  hasIcon: Type.Boolean(),
});
export type TrainerCard = Static<typeof TrainerCard>;

const Facet = Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() }));
export const searchTrainers = route({
  id: 'searchTrainers',
  method: 'GET',
  path: '/api/v1/trainers',
  action: 'catalog.read',
  // What an organisation has only for itself is in its own answer.
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'Search published trainers',
  query: Type.Object({
    q: Type.Optional(Type.String({ maxLength: 256 })),
    task: Type.Optional(Type.String({ maxLength: 64 })),
    framework: Type.Optional(Type.String({ maxLength: 64 })),
    export: Type.Optional(Type.String({ maxLength: 64 })),
    level: Type.Optional(Type.String({ maxLength: 8 })),
    license: Type.Optional(Type.String({ maxLength: 64 })),
    device: Type.Optional(Type.String({ maxLength: 16 })),
    owner: Type.Optional(OwnerParam),
    sort: Type.Optional(Type.Union([Type.Literal('relevance'), Type.Literal('newest'), Type.Literal('name')])),
    ...PageQuery,
  }),
  reply: Type.Object({
    items: Type.Array(TrainerCard),
    next: MaybeText,
    /** Exact up to 1,000, then 1,001. */
    total: Type.Integer(),
    facets: Type.Object({
      task: Facet,
      framework: Facet,
      export: Facet,
      level: Facet,
      license: Facet,
      device: Facet,
      owner: Facet,
    }),
  }),
});

export const ReleaseSummary = Type.Object({
  id: Id,
  owner: OwnerParam,
  name: NameParam,
  version: Type.String(),
  state: Type.String(),
  level: Type.String(),
  packageDigest: Type.String(),
  packageBytes: Type.Integer(),
  submittedAt: Time,
  submittedBy: Type.String(),
  publishedAt: MaybeTime,
  /** Deprecation message, yank or rejection reason. */
  reason: MaybeText,
});
export type ReleaseSummary = Static<typeof ReleaseSummary>;

export const ReleaseDetail = Type.Object({
  ...ReleaseSummary.properties,
  title: Type.String(),
  summary: Type.String(),
  official: Type.Boolean(),
  manifest: Json,
  configSchema: Json,
  presets: Type.Array(Json),
  readme: Type.String(),
  changelog: MaybeText,
  /** Live while it is validated; the report's stages afterwards. */
  stages: Type.Array(StageShape),
  findings: Type.Array(FindingShape),
  report: Type.Union([Type.Null(), ReportShape]),
  /** What it waits for, in one sentence. */
  waiting: Type.Union([Type.Null(), WaitReason]),
  /** May run without a wall: trusted owner, or an administrator approved this digest. */
  trusted: Type.Boolean(),
  approvedBy: MaybeText,
  /** The environment of this release on this machine. */
  environment: Type.Union([Type.Literal('none'), Type.Literal('ready'), Type.Literal('missing')]),
  /** The proof after publishing: what it does now, or why the last one came to nothing. */
  proof: Type.Object({ running: Type.Boolean(), sentence: MaybeText, note: MaybeText, stages: Type.Array(StageShape) }),
  can: Type.Object({ manage: Type.Boolean(), approve: Type.Boolean(), start: Type.Boolean(), prove: Type.Boolean() }),
});
export type ReleaseDetail = Static<typeof ReleaseDetail>;

export const getTrainer = route({
  id: 'getTrainer',
  method: 'GET',
  path: '/api/v1/trainers/:owner/:name',
  action: 'catalog.read',
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'One trainer with its newest release and the list of releases',
  params: TrainerParams,
  query: Type.Object({ version: Type.Optional(Type.String({ maxLength: 64 })) }),
  reply: Type.Object({
    card: Type.Union([Type.Null(), TrainerCard]),
    release: ReleaseDetail,
    releases: Type.Array(ReleaseSummary),
  }),
});
export const getRelease = route({
  id: 'getRelease',
  method: 'GET',
  path: '/api/v1/releases/:release',
  action: 'catalog.read',
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'One release by id, with its report',
  params: ReleaseIdParams,
  reply: ReleaseDetail,
});
export const getReleaseFile = route({
  id: 'getReleaseFile',
  method: 'GET',
  path: '/api/v1/releases/:release/file',
  action: 'catalog.read',
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'One file of the package (icon, screenshots) out of the stored archive',
  params: ReleaseIdParams,
  query: Type.Object({ path: Type.String({ minLength: 1, maxLength: 200 }) }),
  reply: stream(['*/*'], 0),
});
export const listMyReleases = route({
  id: 'listMyReleases',
  method: 'GET',
  path: '/api/v1/my/releases',
  action: 'release.read',
  access: 'user',
  scope: 'trainers:publish',
  summary: 'Releases of the own organisation in every state',
  query: Type.Object({ ...PageQuery }),
  reply: page(ReleaseSummary),
});

const Submitted = Type.Object({
  release: ReleaseSummary,
  /** False when equal bytes were already there. */ created: Type.Boolean(),
});
/** Raw stream: the CLI and CI. */
export const uploadRelease = route({
  id: 'uploadRelease',
  method: 'POST',
  path: '/api/v1/releases',
  action: 'release.uploaded',
  access: 'user',
  scope: 'trainers:publish',
  summary: 'Submit a packed trainer (.tgz); name and version are read from the package',
  body: stream(PACKAGE_MEDIA_TYPES, MAX_PACKAGE_BYTES),
  reply: Submitted,
  status: 202,
});
/** One multipart field `package`: browsers and curl. */
export const uploadReleaseForm = route({
  id: 'uploadReleaseForm',
  method: 'POST',
  path: '/api/v1/releases/form',
  action: 'release.uploaded',
  access: 'user',
  scope: 'trainers:publish',
  summary: 'Submit a packed trainer as a form field',
  body: multipart({ maxBytes: MAX_PACKAGE_BYTES, maxFiles: 1 }),
  reply: Submitted,
  status: 202,
});
export const ReleaseLive = Type.Object({
  type: Type.Union([Type.Literal('release')]),
  state: Type.String(),
  stages: Type.Array(StageShape),
  findings: Type.Array(FindingShape),
  waiting: Type.Union([Type.Null(), WaitReason]),
  version: Type.String(),
});
export const streamRelease = route({
  id: 'streamRelease',
  method: 'GET',
  path: '/api/v1/releases/:release/stream',
  action: 'release.read',
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'Stages and findings while a release is validated',
  params: ReleaseIdParams,
  reply: events(ReleaseLive),
});
const Reason = Type.Object({ reason: Type.String({ minLength: 3, maxLength: 500 }) });
export const deprecateRelease = route({
  id: 'deprecateRelease',
  method: 'POST',
  path: '/api/v1/trainers/:owner/:name/releases/:version/deprecate',
  action: 'release.deprecated',
  access: 'user',
  scope: 'trainers:manage',
  summary: 'Warn users of this release',
  params: ReleaseParams,
  body: Reason,
  reply: ReleaseSummary,
});
export const undoDeprecation = route({
  id: 'undoDeprecation',
  method: 'POST',
  path: '/api/v1/trainers/:owner/:name/releases/:version/undo-deprecation',
  action: 'release.undeprecated',
  access: 'user',
  scope: 'trainers:manage',
  summary: 'Take the warning back',
  params: ReleaseParams,
  reply: ReleaseSummary,
});
export const yankRelease = route({
  id: 'yankRelease',
  method: 'POST',
  path: '/api/v1/trainers/:owner/:name/releases/:version/yank',
  action: 'release.yanked',
  access: 'user',
  scope: 'trainers:manage',
  summary: 'Withdraw: no new runs; the bytes stay',
  params: ReleaseParams,
  body: Reason,
  reply: ReleaseSummary,
});
export const approveRelease = route({
  id: 'approveRelease',
  method: 'POST',
  path: '/api/v1/releases/:release/approve',
  action: 'release.approved',
  access: 'admin',
  scope: 'trainers:manage',
  summary: 'Allow this digest to run on this machine without a wall',
  params: ReleaseIdParams,
  body: Type.Object({ digest: Type.String({ maxLength: 80 }) }),
  reply: ReleaseSummary,
});

export const proveRelease = route({
  id: 'proveRelease',
  method: 'POST',
  path: '/api/v1/releases/:release/prove',
  action: 'release.proof_asked',
  access: 'user',
  scope: 'trainers:publish',
  summary:
    'Measure a published release again: learning, stop, resume, exports. While a proof waits or runs, nothing new starts',
  params: ReleaseIdParams,
  reply: ReleaseSummary,
  status: 202,
});

/** Trainers that come with Trainyard but need a large environment before they can be submitted. */
export const BundledTrainer = Type.Object({
  name: Type.String(),
  title: Type.String(),
  summary: Type.String(),
  version: Type.String(),
  state: Type.Union([
    Type.Literal('needs-environment'),
    Type.Literal('preparing'),
    Type.Literal('failed'),
    Type.Literal('submitted'),
  ]),
  downloadBytes: Type.Integer(),
  sentence: Type.String(),
  /** 0 to 1 while preparing. */
  progress: MaybeNumber,
  releaseId: MaybeText,
});
export type BundledTrainer = Static<typeof BundledTrainer>;
export const listBundled = route({
  id: 'listBundled',
  method: 'GET',
  path: '/api/v1/bundled',
  action: 'catalog.read',
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'Bundled trainers and whether their environment is there',
  reply: Type.Object({ items: Type.Array(BundledTrainer) }),
});
export const prepareBundled = route({
  id: 'prepareBundled',
  method: 'POST',
  path: '/api/v1/bundled/:name/prepare',
  action: 'trainer.prepared',
  access: 'admin',
  scope: 'trainers:manage',
  summary: 'Build the environment of a bundled trainer, then submit it',
  params: Type.Object({ name: NameParam }),
  reply: BundledTrainer,
  status: 202,
});
