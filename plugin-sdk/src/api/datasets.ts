import { Type, type Static } from 'typebox';
import { DATASET_FORMATS, TASKS, type DatasetFormat, type TaskId } from '../vocabulary.ts';
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
  color: Type.Optional(Type.String()),
  /** Labels; pictures for classify, pictures that show it for masks. */
  count: Type.Integer(),
  /** The same by split. */
  splits: Type.Optional(Type.Record(Type.String(), Type.Integer())),
});
const TaskName = Type.Unsafe<TaskId>(Type.Union(Object.keys(TASKS).map((task) => Type.Literal(task))));
const FormatName = Type.Unsafe<DatasetFormat>(Type.Union(DATASET_FORMATS.map((format) => Type.Literal(format))));
const Warning = Type.Object({ code: Type.String(), message: Type.String() });
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
  /** Pose only. */
  keypoints: Type.Union([
    Type.Null(),
    Type.Object({ names: Type.Array(Type.String()), skeleton: Type.Array(Type.Array(Type.Integer())) }),
  ]),
  /** Boxes, outlines, figures or masks; null where it was not counted. */
  labels: MaybeNumber,
  /** What the format was recognised by. */
  because: MaybeText,
  warnings: Type.Array(Warning),
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
  warnings: Type.Array(Warning),
});
const Name = Type.String({ minLength: 2, maxLength: 80 });
/** What the person says where an upload could be either. */
const Stated = {
  license: Type.Optional(Type.String({ maxLength: 64 })),
  task: Type.Optional(TaskName),
  format: Type.Optional(FormatName),
};
/** Archive as raw stream; the name is a query parameter. */
export const uploadDataset = route({
  id: 'uploadDataset',
  method: 'POST',
  path: '/api/v1/datasets',
  action: 'dataset.created',
  access: 'user',
  scope: 'datasets:write',
  summary: 'Make a dataset from a .zip, .tar or .tar.gz in any of the seven formats',
  query: Type.Object({ name: Name, ...Stated }),
  body: stream(DATASET_MEDIA_TYPES, MAX_DATASET_BYTES),
  reply: Created,
  status: 201,
});
/** Fields `name`, `license`, `task`, `format`, then either one `archive` or many `files` whose names are paths (`cats/1.png`). */
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
/** Files are shared with the folder where the disk allows it, never changed. The path is kept nowhere. */
export const addDatasetFolder = route({
  id: 'addDatasetFolder',
  method: 'POST',
  path: '/api/v1/datasets/folder',
  action: 'dataset.created',
  access: 'admin',
  scope: 'datasets:write',
  summary: 'Make a dataset from a folder on the machine of the hub',
  body: Type.Object({ name: Name, path: Type.String({ minLength: 1, maxLength: 4096 }), ...Stated }),
  reply: Created,
  status: 201,
});
/** The same options give the same bytes on every machine. */
export const synthSampleDataset = route({
  id: 'synthSampleDataset',
  method: 'POST',
  path: '/api/v1/datasets/synth',
  action: 'dataset.created',
  access: 'user',
  scope: 'datasets:write',
  summary: 'Draw "parts on a belt", a small dataset for any task',
  body: Type.Object({
    task: TaskName,
    format: Type.Optional(FormatName),
    name: Type.Optional(Name),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })),
    train: Type.Optional(Type.Integer({ minimum: 8, maximum: 2000 })),
    val: Type.Optional(Type.Integer({ minimum: 4, maximum: 1000 })),
  }),
  reply: Created,
  status: 201,
});
/** Converted first when another form is asked for; kept for the next time. */
export const downloadSnapshot = route({
  id: 'downloadSnapshot',
  method: 'GET',
  path: '/api/v1/snapshots/:snapshot/download',
  action: 'dataset.read',
  access: 'user',
  scope: 'datasets:read',
  summary: 'The whole snapshot as .tar.gz, in its own or another format',
  params: Type.Object({ snapshot: Id }),
  query: Type.Object({
    task: Type.Optional(TaskName),
    format: Type.Optional(FormatName),
  }),
  reply: stream(['application/gzip'], 0),
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
    /** Other forms that the newest snapshot can be had in, and what each gives up. */
    conversions: Type.Array(Type.Object({ task: Type.String(), format: Type.String(), loses: MaybeText })),
    runs: Type.Array(Type.Object({ id: Id, name: Type.String(), state: Type.String() })),
  }),
});
/** Pixels of the picture; rings are x1 y1 x2 y2 …, points x y seen. */
export const DrawnLabel = Type.Object({
  class: Type.Integer(),
  box: Type.Optional(Type.Array(Type.Number())),
  rings: Type.Optional(Type.Array(Type.Array(Type.Number()))),
  points: Type.Optional(Type.Array(Type.Array(Type.Number()))),
});
export const DatasetImage = Type.Object({
  path: Type.String(),
  split: Type.String(),
  class: MaybeNumber,
  bytes: Type.Integer(),
  sha256: Type.String(),
  width: MaybeNumber,
  height: MaybeNumber,
  classes: Type.Array(Type.Integer()),
  labels: Type.Array(DrawnLabel),
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
  query: Type.Object({
    path: Type.String({ minLength: 1, maxLength: 1024 }),
    /** `mask`: the mask of that picture, in the colours of its classes over nothing. */
    layer: Type.Optional(Type.Literal('mask')),
  }),
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
