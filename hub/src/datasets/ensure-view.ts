import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import {
  DATASET_FORMATS,
  newId,
  Problem,
  snapshotDigest,
  TASKS,
  type DatasetFormat,
  type TaskId,
} from '@trainyard/plugin-sdk';
import { conversionOf } from '@trainyard/plugin-sdk/dataset';
import { recordBlobs } from '../blobs/record-blob.ts';
import { query } from '../platform/sql.ts';
import { inTransaction } from '../platform/transaction.ts';
import type { DatasetDeps } from './deps.ts';
import { datasetFileOf, VIEW_FILE, viewText, type StoredDataset } from './snapshot-file.ts';
import { runWork, withWorkFolder } from './work/run-work.ts';
import type { WorkFile } from './work/work-request.ts';

export interface Target {
  readonly task: TaskId;
  readonly format: DatasetFormat;
}
type ViewDeps = Pick<DatasetDeps, 'db' | 'blobs' | 'scratch'>;

export function isTask(text: string): text is TaskId {
  return Object.hasOwn(TASKS, text);
}
export function isFormat(text: string): text is DatasetFormat {
  return DATASET_FORMATS.some((format) => format === text);
}

/** How a snapshot gets to one of `formats` for `task`: as it is, or by the first conversion there is, those that lose nothing before the others. */
export function wayTo(
  snapshot: Pick<StoredDataset, 'task' | 'format'>,
  task: string,
  formats: readonly string[],
): { readonly to: Target; readonly converted: boolean; readonly loses: string | null } | null {
  if (!isTask(task)) return null;
  const ways = formats.filter(isFormat).flatMap((format) => {
    if (snapshot.task === task && snapshot.format === format)
      return [{ to: { task, format }, converted: false, loses: null }];
    const way = conversionOf({ ...snapshot, classes: [] }, { task, format });
    return way === null ? [] : [{ to: { task, format }, converted: true, loses: way.loses }];
  });
  return ways.sort((a, b) => cost(a) - cost(b))[0] ?? null;
}

function cost(way: { readonly converted: boolean; readonly loses: string | null }): number {
  return Number(way.converted) + 2 * Number(way.loses !== null);
}

/** Every other form that a snapshot can be had in. */
export function waysFrom(snapshot: Pick<StoredDataset, 'task' | 'format'>) {
  return Object.keys(TASKS)
    .filter(isTask)
    .flatMap((task) =>
      TASKS[task].datasets.flatMap((format) => {
        if (task === snapshot.task && format === snapshot.format) return [];
        const way = conversionOf({ ...snapshot, classes: [] }, { task, format });
        return way === null ? [] : [{ task, format, loses: way.loses }];
      }),
    );
}

const going = new Map<string, Promise<string>>();

/** The digest of the snapshot in that form. Converted at most once, also when two runs ask at once; kept as long as the snapshot. */
export async function ensureView(deps: ViewDeps, snapshot: string, to: Target): Promise<string> {
  const key = `${snapshot} ${to.task} ${to.format}`;
  const same = going.get(key);
  if (same !== undefined) return same;
  const made = findOrMake(deps, snapshot, to).finally(() => going.delete(key));
  going.set(key, made);
  return made;
}

interface SnapshotRow extends StoredDataset {
  readonly id: string;
  readonly name: string;
  readonly license: string | null;
  readonly organization_id: string;
}

async function findOrMake(deps: ViewDeps, snapshot: string, to: Target): Promise<string> {
  const [row] = await query<SnapshotRow>(
    deps.db.pool,
    'select s.*, d.name, d.license, d.organization_id from snapshot s join dataset d on d.id = s.dataset where s.id::text = $1 and d.deleted_at is null',
    [snapshot],
  );
  if (row === undefined) throw new Problem('not-found', { detail: 'There is no such snapshot.' });
  if (row.task === to.task && row.format === to.format) return row.digest;
  return (await knownView(deps, snapshot, to)) ?? (await makeView(deps, row, to));
}

async function knownView(deps: Pick<ViewDeps, 'db'>, snapshot: string, to: Target): Promise<string | null> {
  const [view] = await query<{ digest: string }>(
    deps.db.pool,
    'select digest from snapshot_view where snapshot = $1 and task = $2 and format = $3',
    [snapshot, to.task, to.format],
  );
  return view?.digest ?? null;
}

async function makeView(deps: ViewDeps, row: SnapshotRow, to: Target): Promise<string> {
  const stored = await query<{ path: string; sha256: string; bytes: number }>(
    deps.db.pool,
    'select path, sha256, bytes from snapshot_file where snapshot = $1 order by path',
    [row.id],
  );
  const files = stored.map((file): WorkFile => ({ ...file, file: deps.blobs.localPath('datasets', file.sha256) }));
  const blobs = join(deps.blobs.localPath('datasets', '0'.repeat(64)), '..', '..');
  return withWorkFolder(deps.scratch, async (folder) => {
    const file = datasetFileOf(row, { ...row, snapshot: row.id });
    const done = await runWork(folder, { kind: 'convert', files, file, to }, [blobs]);
    if (done.kind === 'failed')
      throw new Problem('dataset-mismatch', {
        detail: `${row.name} cannot become ${to.format} for ${to.task}: ${done.message}`,
        fix: done.finding?.fix ?? 'Choose another dataset.',
      });
    if (done.kind !== 'convert') throw new Error(`unexpected result ${done.kind}`);
    const text = Buffer.from(viewText(done.file));
    const at = join(folder, VIEW_FILE);
    await writeFile(at, text);
    const sha256 = createHash('sha256').update(text).digest('hex');
    const content = [...done.files, { path: VIEW_FILE, file: at, bytes: text.length, sha256, made: true }];
    for (const one of content) if (one.made) await deps.blobs.adopt('datasets', one.file, one, 'move');
    const digest = snapshotDigest(content);
    return inTransaction(deps.db, async (tx) => {
      const view = newId();
      const inserted = await tx.query(
        `insert into snapshot_view (id, snapshot, task, format, digest, classes, keypoints, layout, conversion, bytes)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (snapshot, task, format) do nothing returning id`,
        [
          ...[view, row.id, to.task, to.format, digest],
          JSON.stringify(done.file.classes),
          done.file.keypoints === undefined ? null : JSON.stringify(done.file.keypoints),
          ...[JSON.stringify(done.file.splits), JSON.stringify(done.info)],
          content.reduce((sum, one) => sum + one.bytes, 0),
        ],
      );
      // Another hub was quicker; the same input gives the same bytes.
      if (inserted.length === 0) return digest;
      await tx.query(
        'insert into snapshot_view_file (view, path, sha256, bytes) select $1, * from unnest($2::text[], $3::text[], $4::bigint[])',
        [view, content.map(({ path }) => path), content.map((one) => one.sha256), content.map(({ bytes }) => bytes)],
      );
      await recordBlobs(tx, 'datasets', content, { organizationId: row.organization_id, kind: 'snapshot', id: row.id });
      return digest;
    });
  });
}
