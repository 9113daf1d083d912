import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { errorsFromFindings, Problem } from '@trainyard/plugin-sdk';
import { DATASET_LIMITS, indexZip, iterateTarGz, readZipEntry, type ArchiveFault } from '@trainyard/plugin-sdk/archive';

/** One file of an upload. Must be read to its end before the next one is asked for. */
export interface UploadEntry {
  readonly path: string;
  readonly stream: AsyncIterable<Uint8Array>;
}

/** Writes an upload to the scratch folder, hands it over and removes it, whatever happens. */
export async function withScratchFile<T>(
  scratch: string,
  source: AsyncIterable<Uint8Array>,
  work: (path: string) => Promise<T>,
): Promise<T> {
  await mkdir(scratch, { recursive: true });
  const path = join(scratch, randomUUID());
  try {
    await pipeline(Readable.from(source, { objectMode: false }), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
    return await work(path);
  } finally {
    await rm(path, { force: true });
  }
}

function isFault(error: unknown): error is ArchiveFault {
  return error instanceof Error && 'finding' in error;
}

async function* zipEntries(path: string): AsyncIterable<UploadEntry> {
  const index = await indexZip(path, DATASET_LIMITS);
  if ('findings' in index) {
    const first = index.findings[0];
    throw new Problem('dataset-invalid', {
      detail: first?.message ?? 'The archive cannot be read.',
      ...(first === undefined ? {} : { fix: first.fix }),
      errors: errorsFromFindings(index.findings),
    });
  }
  for (const entry of index.entries) yield { path: entry.path, stream: readZipEntry(path, entry) };
}

/** The mark of a tar header; plain tar goes through the reader of packed ones. */
async function isTar(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  const mark = Buffer.alloc(5);
  try {
    await file.read(mark, 0, 5, 257);
  } finally {
    await file.close();
  }
  return mark.toString('latin1') === 'ustar';
}

/** Files of an archive, recognised by its first bytes and never by its name. Nothing is unpacked to disk under its own name. */
export async function* archiveEntries(path: string): AsyncIterable<UploadEntry> {
  const file = await open(path, 'r');
  const head = Buffer.alloc(4);
  try {
    await file.read(head, 0, 4, 0);
  } finally {
    await file.close();
  }
  try {
    if (head.readUInt32BE(0) === 0x504b0304 || head.readUInt32BE(0) === 0x504b0506) yield* zipEntries(path);
    else if (head[0] === 0x1f && head[1] === 0x8b) yield* iterateTarGz(createReadStream(path), DATASET_LIMITS);
    else if (await isTar(path))
      yield* iterateTarGz(createReadStream(path).pipe(createGzip({ level: 0 })), DATASET_LIMITS);
    else
      throw new Problem('unsupported-media', {
        detail: 'This is neither a .zip nor a .tar or .tar.gz archive.',
        fix: 'Pack the folder of pictures as .zip, or choose the folder itself.',
      });
  } catch (error) {
    if (isFault(error))
      throw new Problem('dataset-invalid', { detail: error.message, fix: 'Pack the pictures again.', cause: error });
    throw error;
  }
}
