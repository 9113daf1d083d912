import { Type, type Static } from 'typebox';
import { multipart, route, stream } from './route.ts';
import { DatasetParams, Id, MaybeNumber, MaybeText, page, PageQuery, Time } from './shapes.ts';

export const MAX_DATASET_BYTES = 4 * 1024 * 1024 * 1024;
export const DATASET_MEDIA_TYPES = [
  'application/zip',
  'application/gzip',
  'application/x-gzip',
  'application/octet-stream',
];

export const ClassShape = Type.Object({
  index: Type.Integer(),
  name: Type.String(),
  dir: Type.Optional(Type.String()),
  count: Type.Integer(),
});
export const SnapshotShape = Type.Object({
  id: Id,
  number: Type.Integer(),
  digest: Type.String(),
  createdAt: Time,
  files: Type.Integer(),
  bytes: Type.Integer(),
  format: Type.String(),
  task: Type.String(),
  classes: Type.Array(ClassShape),
  splits: Type.Array(Type.Object({ name: Type.String(), count: Type.Integer() })),
  /** `given` by the folders of the archive, or `auto` 80/20 with seed 42. */
  splitMethod: Type.String(),
});
export const DatasetShape = Type.Object({
  id: Id,
  name: Type.String(),
  owner: Type.String(),
  visibility: Type.String(),
  license: MaybeText,
  description: MaybeText,
  createdAt: Time,
  sample: Type.Boolean(),
  snapshot: Type.Union([Type.Null(), SnapshotShape]),
  can: Type.Object({ edit: Type.Boolean() }),
});
export type DatasetShape = Static<typeof DatasetShape>;
export type SnapshotShape = Static<typeof SnapshotShape>;

export const listDatasets = route({
  id: 'listDatasets',
  method: 'GET',
  path: '/api/v1/datasets',
  action: 'dataset.read',
  access: 'visitor',
  scope: 'datasets:read',
  summary: 'Datasets the caller may see',
  query: Type.Object({
    q: Type.Optional(Type.String({ maxLength: 256 })),
    task: Type.Optional(Type.String({ maxLength: 32 })),
    ...PageQuery,
  }),
  reply: page(DatasetShape),
});
const Created = Type.Object({
  dataset: DatasetShape,
  /** Things a person should know: pictures skipped, classes absent from a split. */
  warnings: Type.Array(Type.Object({ code: Type.String(), message: Type.String() })),
});
/** Archive as raw stream; the name is a query parameter. */
export const uploadDataset = route({
  id: 'uploadDataset',
  method: 'POST',
  path: '/api/v1/datasets',
  action: 'dataset.created',
  access: 'user',
  scope: 'datasets:write',
  summary: 'Make a dataset from a .zip or .tar.gz of folders of pictures',
  query: Type.Object({
    name: Type.String({ minLength: 2, maxLength: 80 }),
    license: Type.Optional(Type.String({ maxLength: 64 })),
  }),
  body: stream(DATASET_MEDIA_TYPES, MAX_DATASET_BYTES),
  reply: Created,
  status: 201,
});
/** Fields `name`, `license`, then either one `archive` or many `files` whose names are paths (`cats/1.png`). */
export const uploadDatasetForm = route({
  id: 'uploadDatasetForm',
  method: 'POST',
  path: '/api/v1/datasets/form',
  action: 'dataset.created',
  access: 'user',
  scope: 'datasets:write',
  summary: 'Make a dataset from a form: an archive, or a folder of files',
  body: multipart({ maxBytes: MAX_DATASET_BYTES, maxFiles: 20_000 }),
  reply: Created,
  status: 201,
});
export const getDataset = route({
  id: 'getDataset',
  method: 'GET',
  path: '/api/v1/datasets/:dataset',
  action: 'dataset.read',
  access: 'visitor',
  scope: 'datasets:read',
  summary: 'One dataset',
  params: DatasetParams,
  reply: Type.Object({
    dataset: DatasetShape,
    snapshots: Type.Array(SnapshotShape),
    runs: Type.Array(Type.Object({ id: Id, name: Type.String(), state: Type.String() })),
  }),
});
export const DatasetImage = Type.Object({
  path: Type.String(),
  split: Type.String(),
  class: MaybeNumber,
  bytes: Type.Integer(),
  sha256: Type.String(),
});
export const listImages = route({
  id: 'listImages',
  method: 'GET',
  path: '/api/v1/snapshots/:snapshot/images',
  action: 'dataset.read',
  access: 'visitor',
  scope: 'datasets:read',
  summary: 'Pictures of a snapshot, a page at a time',
  params: Type.Object({ snapshot: Id }),
  query: Type.Object({
    split: Type.Optional(Type.String({ maxLength: 16 })),
    class: Type.Optional(Type.Integer({ minimum: 0 })),
    ...PageQuery,
  }),
  reply: page(DatasetImage),
});
export const getImage = route({
  id: 'getImage',
  method: 'GET',
  path: '/api/v1/snapshots/:snapshot/image',
  action: 'dataset.read',
  access: 'visitor',
  scope: 'datasets:read',
  summary: 'The bytes of one picture',
  params: Type.Object({ snapshot: Id }),
  query: Type.Object({ path: Type.String({ minLength: 1, maxLength: 512 }) }),
  reply: stream(['image/*'], 0),
});
export const deleteDataset = route({
  id: 'deleteDataset',
  method: 'DELETE',
  path: '/api/v1/datasets/:dataset',
  action: 'dataset.deleted',
  access: 'user',
  scope: 'datasets:write',
  summary: 'Delete a dataset no run uses',
  params: DatasetParams,
  status: 204,
});
