import type { ByteReply, DatasetShape, getDataset, listImages, SnapshotShape } from '@trainyard/plugin-sdk/api';
import { besidePath, classColour, imageTypeOf } from '@trainyard/plugin-sdk/dataset';
import { canChange, canRead, isAdmin, notFound, requireRead } from '../platform/access.ts';
import { decodeCursor, pageOf } from '../platform/page.ts';
import type { Principal } from '../platform/principal.ts';
import { query, type Queryable } from '../platform/sql.ts';
import type { DatasetDeps } from './deps.ts';
import { waysFrom } from './ensure-view.ts';
import { maskOverlay } from './mask-overlay.ts';
import { datasetFileOf, type StoredDataset } from './snapshot-file.ts';

interface SnapshotRow {
  id: string;
  number: number;
  digest: string;
  created_at: Date;
  files: number;
  bytes: number;
  format: string;
  task: string;
  classes: SnapshotShape['classes'];
  splits: SnapshotShape['splits'];
  split_method: string;
  keypoints: StoredDataset['keypoints'];
  labels: number | null;
  because: string | null;
  warnings: SnapshotShape['warnings'];
}
interface DatasetRow {
  id: string;
  organization_id: string;
  name: string;
  visibility: string;
  license: string | null;
  description: string | null;
  sample: boolean;
  created_at: Date;
  owner: string | null;
  newest: (Omit<SnapshotRow, 'created_at'> & { created_at: string }) | null;
}

function toSnapshot(row: Omit<SnapshotRow, 'created_at'> & { created_at: Date | string }): SnapshotShape {
  return {
    id: row.id,
    number: row.number,
    digest: row.digest,
    createdAt: new Date(row.created_at).toISOString(),
    files: row.files,
    bytes: row.bytes,
    format: row.format,
    task: row.task,
    classes: row.classes,
    splits: row.splits,
    splitMethod: row.split_method,
    keypoints: row.keypoints == null ? null : { names: row.keypoints.names, skeleton: row.keypoints.skeleton ?? [] },
    labels: row.labels,
    because: row.because,
    warnings: row.warnings,
  };
}
function toDataset(row: DatasetRow, principal: Principal): DatasetShape {
  return {
    id: row.id,
    name: row.name,
    owner: row.owner ?? 'trainyard',
    visibility: row.visibility,
    license: row.license,
    description: row.description,
    createdAt: row.created_at.toISOString(),
    sample: row.sample,
    snapshot: row.newest === null ? null : toSnapshot(row.newest),
    can: { edit: canChange(principal, { organizationId: row.organization_id, visibility: row.visibility }) },
  };
}
const SELECT = `select d.*, o.slug as owner, (select row_to_json(s) from snapshot s where s.dataset = d.id order by s.number desc limit 1) as newest
  from dataset d left join organization o on o.id = d.organization_id`;

export async function listDatasets(
  deps: DatasetDeps,
  principal: Principal,
  input: { q?: string; task?: string; cursor?: string; limit?: number },
): Promise<{ items: DatasetShape[]; next: string | null }> {
  const limit = input.limit ?? 50;
  const after = decodeCursor(input.cursor, 2);
  const rows = await query<DatasetRow>(
    deps.db.pool,
    `${SELECT} where d.deleted_at is null and ($1 or d.visibility = 'public' or d.organization_id = $2) and ($3::text is null or d.name ilike '%' || $3 || '%')
       and ($4::text is null or exists (select 1 from snapshot s where s.dataset = d.id and s.task = $4)) and ($5::timestamptz is null or (d.created_at, d.id) < ($5, $6::uuid))
     order by d.created_at desc, d.id desc limit $7`,
    [
      isAdmin(principal),
      principal.kind === 'user' ? principal.organizationId : null,
      input.q?.replace(/[\\%_]/g, '\\$&') ?? null,
      input.task ?? null,
      after?.[0] ?? null,
      after?.[1] ?? null,
      limit + 1,
    ],
  );
  const page = pageOf(rows, limit, (row) => [row.created_at.toISOString(), row.id]);
  return { items: page.items.map((row) => toDataset(row, principal)), next: page.next };
}

export async function requireDataset(on: Queryable, principal: Principal, id: string): Promise<DatasetRow> {
  const [row] = await query<DatasetRow>(on, `${SELECT} where d.id::text = $1 and d.deleted_at is null`, [id]);
  requireRead(
    principal,
    row === undefined ? null : { organizationId: row.organization_id, visibility: row.visibility },
    'dataset',
  );
  if (row === undefined) throw notFound('dataset');
  return row;
}

export async function readDatasetShape(deps: DatasetDeps, principal: Principal, id: string): Promise<DatasetShape> {
  return toDataset(await requireDataset(deps.db.pool, principal, id), principal);
}

type Detail = NonNullable<(typeof getDataset)['types']>['output'];
export async function readDataset(deps: DatasetDeps, principal: Principal, id: string): Promise<Detail> {
  const row = await requireDataset(deps.db.pool, principal, id);
  const snapshots = await query<SnapshotRow>(
    deps.db.pool,
    'select * from snapshot where dataset = $1 order by number desc',
    [row.id],
  );
  const runs = await query<{ id: string; name: string; state: string; organization_id: string; visibility: string }>(
    deps.db.pool,
    'select run.id, run.name, run.state, run.organization_id, run.visibility from run join snapshot s on s.id = run.snapshot where s.dataset = $1 order by run.created_at desc limit 50',
    [row.id],
  );
  return {
    dataset: toDataset(row, principal),
    snapshots: snapshots.map(toSnapshot),
    conversions: row.newest === null ? [] : waysFrom(row.newest),
    runs: runs
      .filter((run) => canRead(principal, { organizationId: run.organization_id, visibility: run.visibility }))
      .map(({ id: run, name, state }) => ({ id: run, name, state })),
  };
}

type SnapshotOf = StoredDataset & { readonly id: string; readonly name: string; readonly license: string | null };

export async function requireSnapshot(deps: DatasetDeps, principal: Principal, snapshot: string): Promise<SnapshotOf> {
  const [row] = await query<SnapshotOf & { organization_id: string; visibility: string }>(
    deps.db.pool,
    'select s.*, d.name, d.license, d.organization_id, d.visibility from snapshot s join dataset d on d.id = s.dataset where s.id::text = $1 and d.deleted_at is null',
    [snapshot],
  );
  requireRead(
    principal,
    row === undefined ? null : { organizationId: row.organization_id, visibility: row.visibility },
    'snapshot',
  );
  if (row === undefined) throw notFound('snapshot');
  return row;
}

type Images = NonNullable<(typeof listImages)['types']>['output'];
export async function readImages(
  deps: DatasetDeps,
  principal: Principal,
  input: { snapshot: string; split?: string; class?: number; cursor?: string; limit?: number },
): Promise<Images> {
  const { id: snapshot } = await requireSnapshot(deps, principal, input.snapshot);
  const limit = input.limit ?? 60;
  const after = decodeCursor(input.cursor, 1);
  const rows = await query<Images['items'][number]>(
    deps.db.pool,
    `select path, split, class, bytes, sha256, width, height, coalesce(classes, array_remove(array[class], null)) as classes, coalesce(labels, '[]') as labels
     from snapshot_file where snapshot = $1 and split <> '' and ($2::text is null or split = $2) and ($3::int is null or class = $3 or $3 = any(classes)) and ($4::text is null or path > $4)
     order by path limit $5`,
    [snapshot, input.split ?? null, input.class ?? null, after?.[0] ?? null, limit + 1],
  );
  return pageOf(rows, limit, (row) => [row.path]);
}

/** A stored picture; of a mask only the header is rewritten, so that a browser can lay it over. */
export async function readImage(
  deps: DatasetDeps,
  principal: Principal,
  input: { snapshot: string; path: string; layer?: string },
): Promise<ByteReply> {
  const snapshot = await requireSnapshot(deps, principal, input.snapshot);
  const rows = await query<{ path: string; split: string; sha256: string; bytes: number }>(
    deps.db.pool,
    'select path, split, sha256, bytes from snapshot_file where snapshot = $1 and path = any($2)',
    [snapshot.id, [input.path, maskPath(snapshot, input.path)]],
  );
  const row = rows.find(({ path, split }) => path === input.path && split !== '');
  const type = imageTypeOf(input.path);
  if (row === undefined || type === null) throw notFound('picture');
  if (input.layer !== 'mask')
    return {
      stream: await deps.blobs.read('datasets', row.sha256),
      mediaType: type,
      bytes: row.bytes,
      etag: row.sha256,
    };
  const mask = rows.find(({ path }) => path !== input.path);
  if (mask === undefined || mask.bytes > MOST_MASK) throw notFound('mask');
  const parts: Uint8Array[] = [];
  for await (const part of await deps.blobs.read('datasets', mask.sha256)) parts.push(part);
  const colours = snapshot.classes.map(({ index, name, color }) =>
    name.toLowerCase() === 'background' ? null : classColour(index, color),
  );
  const bytes = maskOverlay(Buffer.concat(parts), colours);
  if (bytes === null) throw notFound('mask');
  return {
    stream: (async function* () {
      yield bytes;
    })(),
    mediaType: 'image/png',
    bytes: bytes.length,
    etag: `${mask.sha256}-mask`,
  };
}

const MOST_MASK = 32 * 1024 * 1024;

function maskPath(snapshot: SnapshotOf, image: string): string {
  const file = datasetFileOf(snapshot, { ...snapshot, snapshot: snapshot.id });
  const split = Object.entries(file.splits).find(([, { images }]) => image.startsWith(`${images}/`))?.[0] ?? '';
  return besidePath(file, split, image, 'masks', 'png');
}
