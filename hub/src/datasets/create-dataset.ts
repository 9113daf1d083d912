import { newId, Problem, snapshotDigest, type ProblemError } from '@trainyard/plugin-sdk';
import {
  assignSplits,
  imageProblem,
  imageTypeOf,
  readImageFolder,
  type FolderReading,
  type SplitName,
} from '@trainyard/plugin-sdk/dataset';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { recordBlobs, recordUnused } from '../blobs/record-blob.ts';
import { inTransaction } from '../platform/transaction.ts';
import type { DatasetDeps } from './deps.ts';
import type { UploadEntry } from './read-upload.ts';

export interface NewDataset {
  readonly name: string;
  readonly license: string | null;
  readonly description: string | null;
  readonly organizationId: string;
  readonly visibility: 'private' | 'public';
  readonly sample: boolean;
  readonly createdBy: string;
}
export interface CreatedDataset {
  readonly dataset: string;
  readonly warnings: { code: string; message: string }[];
}

interface StoredFile {
  readonly sha256: string;
  readonly bytes: number;
  readonly problem: string | null;
}
interface SnapshotFile {
  readonly path: string;
  readonly split: string;
  readonly class: number | null;
  readonly sha256: string;
  readonly bytes: number;
}

export const SPLIT_SEED = 42;
const PARALLEL_WRITES = 16;
const MAX_SMALL_FILE = 4 * 1024 * 1024;
const MAX_FILES = 200_000;

/** Passes bytes on while keeping the first and last ones, so that a broken picture is found in the one pass that stores it. */
class Edges {
  head: Buffer = Buffer.alloc(0);
  tail: Buffer = Buffer.alloc(0);
  async *through(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of source) {
      if (this.head.length < 32) this.head = Buffer.concat([this.head, chunk.subarray(0, 32 - this.head.length)]);
      this.tail =
        chunk.byteLength >= 64 ? Buffer.from(chunk.subarray(-64)) : Buffer.concat([this.tail, chunk]).subarray(-64);
      yield chunk;
    }
  }
}

/** Stores every picture by digest. Small files are written side by side: one after the other would wait for the disk at each. */
async function storeFiles(deps: DatasetDeps, entries: AsyncIterable<UploadEntry>): Promise<Map<string, StoredFile>> {
  const stored = new Map<string, StoredFile>();
  const going = new Set<Promise<void>>();
  async function store(path: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const edges = new Edges();
    const blob = await deps.blobs.put('datasets', edges.through(source));
    stored.set(path, { ...blob, problem: blob.bytes === 0 ? 'is empty' : imageProblem(path, edges.head, edges.tail) });
  }
  try {
    for await (const entry of entries) {
      if (stored.size + going.size > MAX_FILES)
        throw new Problem('too-large', {
          detail: `More than ${MAX_FILES} files.`,
          fix: 'Upload fewer files at a time.',
        });
      if (imageTypeOf(entry.path) === null) {
        for await (const _chunk of entry.stream) void _chunk;
        continue;
      }
      const parts: Uint8Array[] = [];
      let size = 0;
      const iterator = entry.stream[Symbol.asyncIterator]();
      let next = await iterator.next();
      while (next.done !== true && size < MAX_SMALL_FILE) {
        parts.push(next.value);
        size += next.value.byteLength;
        next = await iterator.next();
      }
      if (next.done !== true) {
        const first = next.value;
        await store(
          entry.path,
          (async function* () {
            yield* parts;
            yield first;
            for (let rest = await iterator.next(); rest.done !== true; rest = await iterator.next()) yield rest.value;
          })(),
        );
        continue;
      }
      const work = store(
        entry.path,
        (async function* () {
          yield* parts;
        })(),
      ).finally(() => going.delete(work));
      work.catch(() => undefined);
      going.add(work);
      if (going.size >= PARALLEL_WRITES) await Promise.race(going);
    }
    await Promise.all(going);
    return stored;
  } catch (error) {
    await Promise.allSettled(going);
    await inTransaction(deps.db, (tx) => recordUnused(tx, 'datasets', [...stored.values()])).catch(() => undefined);
    throw error;
  }
}

function refuse(reading: FolderReading, stored: ReadonlyMap<string, StoredFile>): void {
  const errors: ProblemError[] = [
    ...reading.problems.map((problem) => ({
      file: problem.path,
      code: 'dataset.format',
      message: `${problem.path === '' ? 'The upload:' : problem.path} ${problem.message}`,
      fix: problem.fix,
    })),
    ...[...stored].flatMap(([path, file]) =>
      file.problem === null
        ? []
        : [
            {
              file: path,
              code: 'dataset.corrupt_image',
              message: `${path} ${file.problem}`,
              fix: 'Replace or remove this picture.',
            },
          ],
    ),
  ];
  const first = errors[0];
  if (first === undefined) return;
  throw new Problem('dataset-invalid', {
    detail: errors.length === 1 ? `${first.message}.` : `${first.message} (and ${errors.length - 1} more).`,
    fix: first.fix ?? '',
    errors: errors.slice(0, 200),
  });
}

function placeFiles(
  reading: FolderReading,
  stored: ReadonlyMap<string, StoredFile>,
): { files: SnapshotFile[]; method: 'given' | 'auto'; overlap: number } {
  const auto = assignSplits(
    reading.images,
    { class: (image) => image.class, path: (image) => `${image.class}/${image.file}` },
    SPLIT_SEED,
  );
  // Train and val given or nothing given: a lone train folder is split as well.
  const hasVal = reading.images.some((image) => image.split === 'val');
  const files: SnapshotFile[] = [];
  const sides = new Map<string, Set<string>>();
  for (const image of reading.images) {
    const file = stored.get(image.source);
    if (file === undefined) continue;
    const split: SplitName =
      reading.splitsGiven && (hasVal || image.split === 'test')
        ? (image.split ?? 'train')
        : (auto.get(image) ?? 'train');
    files.push({
      path: `${split}/${image.class}/${image.file}`,
      split,
      class: reading.classes.indexOf(image.class),
      sha256: file.sha256,
      bytes: file.bytes,
    });
    sides.set(file.sha256, (sides.get(file.sha256) ?? new Set()).add(split));
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return {
    files,
    method: reading.splitsGiven && hasVal ? 'given' : 'auto',
    overlap: [...sides.values()].filter((splits) => splits.size > 1).length,
  };
}

async function listFiles(deps: DatasetDeps, files: readonly SnapshotFile[]): Promise<SnapshotFile[]> {
  const lists: SnapshotFile[] = [];
  for (const split of new Set(files.map((file) => file.split))) {
    const text = files
      .filter((file) => file.split === split)
      .map((file) => `${file.path}\n`)
      .join('');
    const blob = await deps.blobs.put(
      'datasets',
      (async function* () {
        yield Buffer.from(text);
      })(),
    );
    lists.push({ path: `${split}.txt`, split: '', class: null, sha256: blob.sha256, bytes: blob.bytes });
  }
  return lists;
}

/**
 * A dataset with its first snapshot, from folders of pictures. Bytes first, then one transaction; anything wrong with a picture or the layout refuses the
 * whole upload with every problem named, and leaves no row behind (bytes nobody uses are collected later).
 */
export async function createDataset(
  deps: DatasetDeps,
  caller: AuditCaller,
  input: NewDataset,
  entries: AsyncIterable<UploadEntry>,
): Promise<CreatedDataset> {
  const stored = await storeFiles(deps, entries);
  const reading = readImageFolder([...stored.keys()]);
  try {
    refuse(reading, stored);
  } catch (error) {
    await inTransaction(deps.db, (tx) => recordUnused(tx, 'datasets', [...stored.values()]));
    throw error;
  }
  const placed = placeFiles(reading, stored);
  const files = [...placed.files, ...(await listFiles(deps, placed.files))];
  const digest = snapshotDigest(files);
  const counts = Map.groupBy(placed.files, (file) => file.split);
  const classes = reading.classes.map((name, index) => ({
    index,
    name,
    dir: name,
    count: placed.files.filter((file) => file.class === index).length,
  }));
  const dataset = newId();
  const snapshot = newId();
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
    await tx.query(
      `insert into snapshot (id, dataset, number, digest, format, task, classes, splits, split_method, files, bytes) values ($1, $2, 1, $3, 'imagefolder@1', 'classify', $4, $5, $6, $7, $8)`,
      [
        snapshot,
        dataset,
        digest,
        JSON.stringify(classes),
        JSON.stringify(
          [...counts]
            .map(([name, items]) => ({ name, count: items.length }))
            .sort((a, b) => (a.name < b.name ? 1 : -1)),
        ),
        placed.method,
        placed.files.length,
        placed.files.reduce((sum, file) => sum + file.bytes, 0),
      ],
    );
    await tx.query(
      'insert into snapshot_file (snapshot, path, split, class, sha256, bytes) select $1, * from unnest($2::text[], $3::text[], $4::int[], $5::text[], $6::bigint[])',
      [
        snapshot,
        files.map((file) => file.path),
        files.map((file) => file.split),
        files.map((file) => file.class),
        files.map((file) => file.sha256),
        files.map((file) => file.bytes),
      ],
    );
    await recordBlobs(tx, 'datasets', files, { organizationId: input.organizationId, kind: 'snapshot', id: snapshot });
    await recordAudit(tx, caller, 'dataset.created', dataset, { name: input.name, digest, files: placed.files.length });
  });
  const warnings: CreatedDataset['warnings'] = [];
  if (reading.ignored.length > 0)
    warnings.push({
      code: 'files-ignored',
      message: `${reading.ignored.length} files are no pictures and were left out, such as ${reading.ignored[0]}.`,
    });
  if (placed.overlap > 0)
    warnings.push({
      code: 'split-overlap',
      message: `${placed.overlap} pictures are in more than one split, so results may look better than they are.`,
    });
  for (const item of classes) {
    const inVal = placed.files.some((file) => file.class === item.index && file.split === 'val');
    if (!inVal)
      warnings.push({ code: 'class_missing_in_val', message: `The class ${item.name} has no picture in val.` });
  }
  return { dataset, warnings };
}
