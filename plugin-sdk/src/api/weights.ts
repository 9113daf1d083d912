import { Type, type Static } from 'typebox';
import { multipart, route, stream } from './route.ts';
import { Id, MaybeText, ReleaseIdParams, Time } from './shapes.ts';

/** Initial weights of models: files that the hub keeps by digest, and single pictures to predict on. */

export const MAX_WEIGHTS_BYTES = 20 * 1024 * 1024 * 1024;
export const MAX_PICTURE_BYTES = 20 * 1024 * 1024;
export const MAX_PICTURES = 1000;
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });

export const WeightsShape = Type.Object({
  id: Id,
  name: Type.String(),
  sha256: Sha256,
  /** Known once it is ready, or from the manifest that declares it. */
  bytes: Type.Union([Type.Null(), Type.Integer()]),
  received: Type.Integer(),
  license: MaybeText,
  /** `upload`, or the address it comes from. */
  source: Type.String(),
  state: Type.Union([Type.Literal('fetching'), Type.Literal('ready'), Type.Literal('failed')]),
  /** Why it failed. */
  note: MaybeText,
  addedBy: Type.String(),
  createdAt: Time,
});
export type WeightsShape = Static<typeof WeightsShape>;

/** What a model may start from. */
export const WeightsChoice = Type.Object({
  /** Id in the manifest, or the digest of a file of the own organisation. */
  id: Type.String(),
  title: Type.String(),
  model: MaybeText,
  sha256: MaybeText,
  bytes: Type.Union([Type.Null(), Type.Integer()]),
  license: MaybeText,
  url: MaybeText,
  /** `bundled` needs nothing; `absent` can be fetched or uploaded. */
  state: Type.String(),
  received: Type.Integer(),
  note: MaybeText,
});
export type WeightsChoice = Static<typeof WeightsChoice>;

export const listWeights = route({
  id: 'listWeights',
  method: 'GET',
  path: '/api/v1/weights',
  action: 'weights.read',
  access: 'user',
  scope: 'runs:read',
  summary: 'Weights of the own organisation and those that everybody may use',
  reply: Type.Object({ items: Type.Array(WeightsShape) }),
});
export const listReleaseWeights = route({
  id: 'listReleaseWeights',
  method: 'GET',
  path: '/api/v1/releases/:release/weights',
  action: 'weights.read',
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'What the models of a release may start from, and whether it is here',
  params: ReleaseIdParams,
  query: Type.Object({ model: Type.Optional(Type.String({ maxLength: 64 })) }),
  reply: Type.Object({ items: Type.Array(WeightsChoice) }),
});
export const uploadWeights = route({
  id: 'uploadWeights',
  method: 'POST',
  path: '/api/v1/weights',
  action: 'weights.added',
  access: 'user',
  scope: 'runs:write',
  summary: 'Add a file of weights; the digest is computed here and, when given, compared',
  query: Type.Object({
    name: Type.String({ minLength: 1, maxLength: 255 }),
    license: Type.Optional(Type.String({ maxLength: 64 })),
    sha256: Type.Optional(Sha256),
  }),
  body: stream(['application/octet-stream'], MAX_WEIGHTS_BYTES),
  reply: WeightsShape,
  status: 201,
});
export const fetchWeights = route({
  id: 'fetchWeights',
  method: 'POST',
  path: '/api/v1/weights/fetch',
  action: 'weights.fetch_asked',
  access: 'user',
  scope: 'runs:write',
  summary:
    'Let the hub fetch a file by address and digest: what a listed release declares, or anything for an administrator',
  body: Type.Object({
    url: Type.String({ minLength: 8, maxLength: 2048 }),
    sha256: Sha256,
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    license: Type.Optional(Type.String({ maxLength: 64 })),
  }),
  reply: WeightsShape,
  status: 202,
});

export const PictureSet = Type.Object({ id: Id, count: Type.Integer(), names: Type.Array(Type.String()) });
export type PictureSet = Static<typeof PictureSet>;
/** Kept a day, longer when a run uses them. Names stay as they were given, folders included. */
export const uploadPictures = route({
  id: 'uploadPictures',
  method: 'POST',
  path: '/api/v1/pictures',
  action: 'pictures.added',
  access: 'user',
  scope: 'runs:write',
  summary: 'Pictures to predict on: one or many files, or a .zip or .tar.gz of them in the field `archive`',
  body: multipart({ maxBytes: 1024 * 1024 * 1024, maxFiles: MAX_PICTURES }),
  reply: PictureSet,
  status: 201,
});
export const getRunPicture = route({
  id: 'getRunPicture',
  method: 'GET',
  path: '/api/v1/runs/:run/picture',
  action: 'run.read',
  access: 'visitor',
  scope: 'runs:read',
  summary: 'The bytes of a picture that a run looked at, by its path in predictions',
  params: Type.Object({ run: Id }),
  query: Type.Object({ path: Type.String({ minLength: 1, maxLength: 512 }) }),
  reply: stream(['image/*'], 0),
});
