import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDigest, newId, snapshotDigest, type FileEntry } from '@trainyard/plugin-sdk';
import { ArchiveFault, iterateTarGz } from '@trainyard/plugin-sdk/archive';
import { CutDownload, whileCut } from './cut-download.ts';
import { isThere, type Download } from './package-store.ts';
import { severalAtOnce } from './several-at-once.ts';

export class BadDataset extends Error {}

/**
 * Snapshots by digest, downloaded once. `place` fills a job's dataset folder with hard links (copies on another file system). A process on this
 * machine has the same user id and could write through a link, so every file is hashed again before each use; a changed snapshot is thrown away
 * and downloaded anew.
 */
export interface DatasetStore {
  place(digest: string, download: Download, target: string, signal: AbortSignal): Promise<void>;
}

const AT_ONCE = 16;
/** Files up to this size are held in memory as a whole. */
const SMALL = 1024 * 1024;
/** What lies next to the files: the manifest of the cache entry. */
const INDEX = 'index.json';

export function openDatasetStore(folder: string): DatasetStore {
  const going = new Map<string, Promise<readonly FileEntry[]>>();
  const ensure = (digest: string, download: Download, signal: AbortSignal): Promise<readonly FileEntry[]> => {
    const known = going.get(digest);
    if (known !== undefined) return known;
    const made = whileCut(() => fetchSnapshot(folder, digest, download, signal), signal).finally(() =>
      going.delete(digest),
    );
    going.set(digest, made);
    return made;
  };
  return {
    async place(digest, download, target, signal) {
      if (!isDigest(digest)) throw new BadDataset(`${digest} is not a digest.`);
      const files = await ensure(digest, download, signal);
      const source = join(folder, nameOf(digest), 'files');
      await rm(target, { recursive: true, force: true });
      const folders = new Set(files.map((file) => dirname(join(target, ...file.path.split('/')))));
      for (const made of folders) await mkdir(made, { recursive: true });
      await severalAtOnce(files, AT_ONCE, async (file) => {
        signal.throwIfAborted();
        await linkOrCopy(join(source, ...file.path.split('/')), join(target, ...file.path.split('/')));
      });
    },
  };
}

function nameOf(digest: string): string {
  return digest.replace('sha256:', '');
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    await copyFile(from, to);
  }
}

async function fetchSnapshot(
  folder: string,
  digest: string,
  download: Download,
  signal: AbortSignal,
): Promise<readonly FileEntry[]> {
  const target = join(folder, nameOf(digest));
  if (await isThere(target)) {
    const files = await readIndex(join(target, INDEX));
    if (files !== null && (await isUnchanged(join(target, 'files'), files, signal))) return files;
    await rm(target, { recursive: true, force: true });
  }
  const scratch = join(folder, `.part-${newId()}`);
  await mkdir(join(scratch, 'files'), { recursive: true });
  try {
    const files = await unpack(await download(signal), join(scratch, 'files'), signal).catch((error: unknown) => {
      // The hub writes the archive as it sends it, so a broken one means a broken transfer first of all.
      if (error instanceof ArchiveFault) throw new CutDownload(`The dataset did not arrive whole. ${error.message}`);
      throw error;
    });
    const content = files.filter((file) => file.path !== 'dataset.json');
    const found = snapshotDigest(content);
    if (found !== digest) throw new BadDataset(`The dataset has digest ${found} instead of ${digest}.`);
    await writeFile(join(scratch, INDEX), JSON.stringify(files));
    await rename(scratch, target);
    return files;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function unpack(
  bytes: AsyncIterable<Uint8Array>,
  target: string,
  signal: AbortSignal,
): Promise<readonly FileEntry[]> {
  const files: FileEntry[] = [];
  const made = new Set<string>();
  const writing = new Set<Promise<void>>();
  try {
    for await (const entry of iterateTarGz(bytes)) {
      signal.throwIfAborted();
      const path = join(target, ...entry.path.split('/'));
      if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true });
      made.add(dirname(path));
      const hash = createHash('sha256');
      if (entry.size <= SMALL) {
        const parts: Buffer[] = [];
        for await (const chunk of entry.stream) parts.push(Buffer.from(chunk));
        const whole = Buffer.concat(parts);
        hash.update(whole);
        const written = writeFile(path, whole, { flag: 'wx', mode: 0o444 });
        writing.add(written);
        void written.then(
          () => writing.delete(written),
          () => undefined,
        );
        if (writing.size >= AT_ONCE) await Promise.race(writing);
      } else await writeLarge(path, entry.stream, hash);
      files.push({ path: entry.path, bytes: entry.size, sha256: hash.digest('hex') });
    }
    await Promise.all(writing);
  } finally {
    await Promise.allSettled(writing);
  }
  if (files[0]?.path !== 'dataset.json') throw new BadDataset('The snapshot does not begin with dataset.json.');
  return files;
}

async function writeLarge(path: string, source: AsyncIterable<Buffer>, hash: Hash): Promise<void> {
  const file = await open(path, 'wx', 0o444);
  try {
    for await (const chunk of source) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
}

async function readIndex(file: string): Promise<readonly FileEntry[] | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return Array.isArray(value) ? (value as FileEntry[]) : null;
  } catch {
    return null;
  }
}

async function isUnchanged(folder: string, files: readonly FileEntry[], signal: AbortSignal): Promise<boolean> {
  try {
    await severalAtOnce(files, AT_ONCE, async (file) => {
      signal.throwIfAborted();
      const path = join(folder, ...file.path.split('/'));
      if ((await digestOf(path, file.bytes)) !== file.sha256) throw new Changed();
    });
  } catch (error) {
    if (signal.aborted) throw error;
    return false;
  }
  return true;
}

class Changed extends Error {}

/** Small files in one read, large ones in pieces. */
async function digestOf(path: string, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  if (bytes <= SMALL) hash.update(await readFile(path));
  else for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
