import { createHash } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '@trainyard/plugin-sdk';
import { imageTypeOf } from '@trainyard/plugin-sdk/dataset';
import type { UploadEntry } from './read-upload.ts';
import type { WorkFile } from './work/work-request.ts';

const MAX_FILES = 400_000;
const PARALLEL_WRITES = 16;
const SMALL = 4 * 1024 * 1024;
/** A text is read as a whole. */
const MAX_TEXT = 400 * 1024 * 1024;

export interface Staged {
  readonly files: readonly WorkFile[];
  /** Files that are neither pictures nor texts of labels. */
  readonly ignored: readonly string[];
}

export function isNoise(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX' || part === 'Thumbs.db');
}

/** Pictures, and the texts that labels are written in. */
export function isWanted(path: string): boolean {
  return !isNoise(path) && (imageTypeOf(path) !== null || /\.(txt|json|ya?ml|names)$/i.test(path));
}

export function refuseCount(count: number): void {
  if (count > MAX_FILES)
    throw new Problem('too-large', { detail: `More than ${MAX_FILES} files.`, fix: 'Upload fewer files at a time.' });
}

/** Writes the files of an upload under numbers, hashing once. Small ones side by side: one after the other would wait for the disk at each. */
export async function stageUpload(folder: string, entries: AsyncIterable<UploadEntry>): Promise<Staged> {
  const target = join(folder, 'files');
  await mkdir(target, { recursive: true });
  const files: WorkFile[] = [];
  const ignored: string[] = [];
  const going = new Set<Promise<void>>();
  try {
    for await (const entry of entries) {
      if (!isWanted(entry.path)) {
        if (!isNoise(entry.path)) ignored.push(entry.path);
        for await (const _chunk of entry.stream) void _chunk;
        continue;
      }
      refuseCount(files.length);
      const at = files.length;
      const file = join(target, String(at));
      files.push({ path: entry.path, file, bytes: 0, sha256: null });
      const done = (stored: { bytes: number; sha256: string }): void => {
        files[at] = { path: entry.path, file, ...stored };
      };
      const iterator = entry.stream[Symbol.asyncIterator]();
      const parts: Uint8Array[] = [];
      let size = 0;
      let next = await iterator.next();
      for (; next.done !== true && size < SMALL; next = await iterator.next()) {
        parts.push(next.value);
        size += next.value.byteLength;
      }
      if (next.done !== true) {
        done(await writeLarge(file, entry.path, parts, next.value, iterator));
        continue;
      }
      const work = writeSmall(file, parts)
        .then(done)
        .finally(() => going.delete(work));
      work.catch(() => undefined);
      going.add(work);
      if (going.size >= PARALLEL_WRITES) await Promise.race(going);
    }
    await Promise.all(going);
    return { files, ignored };
  } finally {
    await Promise.allSettled(going);
  }
}

async function writeSmall(file: string, parts: readonly Uint8Array[]): Promise<{ bytes: number; sha256: string }> {
  const bytes = Buffer.concat(parts);
  await writeFile(file, bytes, { flag: 'wx', mode: 0o600 });
  return { bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function writeLarge(
  path: string,
  name: string,
  begin: readonly Uint8Array[],
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx', 0o600);
  async function write(part: Uint8Array): Promise<void> {
    bytes += part.byteLength;
    if (imageTypeOf(name) === null && bytes > MAX_TEXT)
      throw new Problem('too-large', {
        detail: `${name} has more than ${MAX_TEXT} bytes.`,
        fix: 'Divide it by split.',
      });
    hash.update(part);
    await file.writeFile(part);
  }
  try {
    for (const part of [...begin, first]) await write(part);
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) await write(next.value);
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}
