import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { newId, snapshotDigest, type DatasetFormat, type TaskId } from '@trainyard/plugin-sdk';
import { imageTypeOf } from '@trainyard/plugin-sdk/dataset';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { recordBlobs } from '../blobs/record-blob.ts';
import { inTransaction, type Tx } from '../platform/transaction.ts';
import type { DatasetDeps } from './deps.ts';
import type { UploadEntry } from './read-upload.ts';
import { refuseInspected, warningsOf, type Warning } from './say-findings.ts';
import { VIEW_FILE, viewText } from './snapshot-file.ts';
import { stageUpload } from './stage-upload.ts';
import { runWork, withWorkFolder } from './work/run-work.ts';
import { ITEMS, type Inspected, type ItemRow, type ResultFile, type WorkFile } from './work/work-request.ts';

export interface NewDataset {
  readonly name: string;
  readonly license: string | null;
  readonly description: string | null;
  readonly organizationId: string;
  readonly visibility: 'private' | 'public';
  readonly sample: boolean;
  readonly createdBy: string;
  /** What the person said, where the upload could be either. */
  readonly task?: TaskId;
  readonly format?: DatasetFormat;
}
export interface CreatedDataset {
  readonly dataset: string;
  readonly warnings: Warning[];
}

/**
 * A dataset with its first snapshot, from files in any of the seven formats. Bytes first, then one transaction; anything wrong refuses the whole
 * upload with every problem named, and leaves neither a row nor a byte behind.
 */
export async function createDataset(
  deps: DatasetDeps,
  caller: AuditCaller,
  input: NewDataset,
  entries: AsyncIterable<UploadEntry>,
): Promise<CreatedDataset> {
  return withWorkFolder(deps.scratch, async (folder) => {
    const { files, ignored } = await stageUpload(folder, entries);
    return addDataset(deps, caller, input, { folder, files, ignored, readable: [], how: 'move' });
  });
}

export interface ToAdd {
  /** Of the work; removed by the caller. */
  readonly folder: string;
  readonly files: readonly WorkFile[];
  readonly ignored: readonly string[];
  /** Folders of `files` outside `folder`. */
  readonly readable: readonly string[];
  /** Whether files outside the work are taken over or shared. */
  readonly how: 'move' | 'link';
}

/** Inspects files that lie on this machine and makes a dataset of them. */
export async function addDataset(
  deps: DatasetDeps,
  caller: AuditCaller,
  input: NewDataset,
  { folder, files, ignored, readable, how }: ToAdd,
): Promise<CreatedDataset & { shared: Readonly<Record<string, number>> }> {
  const wish = {
    name: input.name,
    ...(input.task === undefined ? {} : { task: input.task }),
    ...(input.format === undefined ? {} : { format: input.format }),
  };
  const found = await runWork(folder, { kind: 'inspect', files, wish }, readable);
  const inspected = refuseInspected(found);
  const content = [...inspected.files, await writeView(folder, inspected)];
  const shared: Record<string, number> = {};
  for (const file of content) {
    const done = await deps.blobs.adopt('datasets', file.file, file, file.made ? 'move' : how);
    if (!file.made) shared[done] = (shared[done] ?? 0) + 1;
  }
  const warnings = warningsOf(inspected, ignored);
  const dataset = newId();
  await inTransaction(deps.db, async (tx) => {
    await tx.query(
      'insert into dataset (id, organization_id, name, visibility, license, description, sample, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8)',
      [
        dataset,
        input.organizationId,
        input.name,
        input.visibility,
        input.license,
        input.description,
        input.sample,
        input.createdBy,
      ],
    );
    const { snapshot, digest } = await insertSnapshot(tx, dataset, inspected, content, warnings);
    await insertFiles(tx, snapshot, content, join(folder, ITEMS));
    await recordBlobs(tx, 'datasets', content, {
      organizationId: input.organizationId,
      kind: 'snapshot',
      id: snapshot,
    });
    await recordAudit(tx, caller, 'dataset.created', dataset, { name: input.name, digest, files: inspected.images });
  });
  return { dataset, warnings, shared };
}

async function writeView(folder: string, { file }: Inspected): Promise<ResultFile> {
  const text = Buffer.from(viewText(file));
  const at = join(folder, VIEW_FILE);
  await writeFile(at, text);
  return {
    path: VIEW_FILE,
    file: at,
    bytes: text.length,
    sha256: createHash('sha256').update(text).digest('hex'),
    made: true,
  };
}

async function insertSnapshot(
  tx: Tx,
  dataset: string,
  inspected: Inspected,
  content: readonly ResultFile[],
  warnings: readonly Warning[],
): Promise<{ snapshot: string; digest: string }> {
  const { file, counts } = inspected;
  const snapshot = newId();
  const digest = snapshotDigest(content);
  const pictures = content.filter(({ path }) => imageTypeOf(path) !== null);
  await tx.query(
    `insert into snapshot (id, dataset, number, digest, format, task, classes, splits, split_method, files, bytes, keypoints, layout, labels, because, warnings)
     values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
    [
      snapshot,
      dataset,
      digest,
      file.format,
      file.task,
      JSON.stringify(file.classes.map((entry, at) => ({ ...entry, count: 0, ...counts[at] }))),
      JSON.stringify(Object.entries(file.splits).map(([name, { count }]) => ({ name, count }))),
      inspected.method,
      inspected.images,
      pictures.reduce((sum, { bytes }) => sum + bytes, 0),
      file.keypoints === undefined ? null : JSON.stringify(file.keypoints),
      JSON.stringify(file.splits),
      inspected.labels,
      inspected.because,
      JSON.stringify(warnings),
    ],
  );
  return { snapshot, digest };
}

const BATCH = 1000;

/** Labels come line by line, so that a million of them are never held at once. */
async function insertFiles(tx: Tx, snapshot: string, content: readonly ResultFile[], items: string): Promise<void> {
  const left = new Map(content.map((file) => [file.path, file]));
  let batch: { file: ResultFile; item: ItemRow | null }[] = [];
  async function flush(): Promise<void> {
    if (batch.length === 0) return;
    await tx.query(
      `insert into snapshot_file (snapshot, path, split, class, sha256, bytes, width, height, classes, labels)
       select $1, path, split, class, sha256, bytes, width, height, classes, labels
       from jsonb_to_recordset($2::jsonb) as r(path text, split text, class int, sha256 text, bytes bigint, width int, height int, classes int[], labels jsonb)`,
      [
        snapshot,
        JSON.stringify(
          batch.map(({ file: { path, sha256, bytes }, item }) => ({
            ...{ path, sha256, bytes },
            split: item?.split ?? '',
            class: item?.classes.length === 1 ? item.classes[0] : null,
            ...(item === null
              ? {}
              : { width: item.width, height: item.height, classes: item.classes, labels: item.labels }),
          })),
        ),
      ],
    );
    batch = [];
  }
  for await (const line of createInterface({ input: createReadStream(items) })) {
    const item = JSON.parse(line) as ItemRow;
    const file = left.get(item.path);
    if (file === undefined) continue;
    left.delete(item.path);
    batch.push({ file, item });
    if (batch.length >= BATCH) await flush();
  }
  for (const file of left.values()) {
    batch.push({ file, item: null });
    if (batch.length >= BATCH) await flush();
  }
  await flush();
}
