import { newId, Problem, type FileEntry } from '@trainyard/plugin-sdk';
import { MAX_PICTURE_BYTES, MAX_PICTURES, type MultipartBody, type PictureSet } from '@trainyard/plugin-sdk/api';
import { pathProblem } from '@trainyard/plugin-sdk/archive';
import { imageProblem } from '@trainyard/plugin-sdk/dataset';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import { recordBlobs, recordUnused } from '../blobs/record-blob.ts';
import { archiveEntries, withScratchFile, type UploadEntry } from '../datasets/read-upload.ts';
import { requireUser } from '../platform/access.ts';
import type { Database } from '../platform/database.ts';
import { inTransaction } from '../platform/transaction.ts';

export interface PictureDeps {
  readonly db: Database;
  readonly blobs: BlobStore;
  /** Folder for archives while they are read. */
  readonly scratch: string;
}

const EDGE_BYTES = 4096;

/** Keeps pictures for one prediction, under their own names. What is no picture is left out; nothing at all is an answer that says so. */
export async function addPictures(deps: PictureDeps, caller: AuditCaller, body: MultipartBody): Promise<PictureSet> {
  const user = requireUser(caller.principal);
  const files: FileEntry[] = [];
  let refused = '';
  try {
    for await (const part of body.parts) {
      if (!('stream' in part)) continue;
      const entry = { path: part.fileName, stream: part.stream };
      const take = async (entries: AsyncIterable<UploadEntry>): Promise<void> => {
        for await (const item of entries) refused = (await keepPicture(deps, item, files)) ?? refused;
      };
      if (part.fieldName === 'archive')
        await withScratchFile(deps.scratch, entry.stream, (path) => take(archiveEntries(path)));
      else refused = (await keepPicture(deps, entry, files)) ?? refused;
    }
    if (files.length === 0)
      throw new Problem('dataset-invalid', {
        detail: refused === '' ? 'There is no picture in the form.' : refused,
        fix: 'Choose JPEG, PNG, WebP or BMP files of at most 20 MB.',
      });
  } catch (error) {
    const blobs = files.map(({ sha256, bytes }) => ({ sha256, bytes }));
    await inTransaction(deps.db, (tx) => recordUnused(tx, 'datasets', blobs));
    throw error;
  }
  const id = newId();
  await inTransaction(deps.db, async (tx) => {
    await tx.query('insert into picture_set (id, organization_id, files, created_by) values ($1, $2, $3, $4)', [
      id,
      user.organizationId,
      JSON.stringify(files),
      user.name,
    ]);
    await recordBlobs(tx, 'datasets', files, { organizationId: user.organizationId, kind: 'pictures', id });
    await recordAudit(tx, caller, 'pictures.added', id, { count: files.length });
  });
  return { id, count: files.length, names: files.slice(0, 100).map((file) => file.path) };
}

/** Null when it was taken, else why not. */
async function keepPicture(deps: PictureDeps, entry: UploadEntry, files: FileEntry[]): Promise<string | null> {
  const path = entry.path.replaceAll('\\', '/').replace(/^\/+/, '');
  const problem = pathProblem(path, { pathBytes: 512, pathDepth: 16 });
  if (problem !== null || files.length >= MAX_PICTURES || files.some((file) => file.path === path)) {
    for await (const _ of entry.stream);
    if (problem !== null) return `The name ${JSON.stringify(path.slice(0, 100))} ${problem}.`;
    return files.length >= MAX_PICTURES
      ? `Only the first ${MAX_PICTURES} pictures are taken.`
      : `${path} is there twice.`;
  }
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  async function* watched(): AsyncIterable<Uint8Array> {
    for await (const chunk of entry.stream) {
      if (head.length < EDGE_BYTES) head = Buffer.concat([head, chunk]).subarray(0, EDGE_BYTES);
      tail = Buffer.concat([tail, chunk]).subarray(-EDGE_BYTES);
      yield chunk;
    }
  }
  const blob = await deps.blobs.put('datasets', watched(), { maxBytes: MAX_PICTURE_BYTES });
  const wrong = imageProblem(path, head, tail);
  if (wrong !== null) {
    await inTransaction(deps.db, (tx) => recordUnused(tx, 'datasets', [blob]));
    return `${path} ${wrong}.`;
  }
  files.push({ path, bytes: blob.bytes, sha256: blob.sha256 });
  return null;
}
