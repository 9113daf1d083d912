import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, link, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Problem } from '@trainyard/plugin-sdk';
import type { BlobStore, StoredBlob, StoreName } from './blob-store.ts';

/** Files under `<root>/<store>/<first two>/<digest>`; temporary files beside them, so that the rename stays on one file system. */
export function openFsStore(root: string): BlobStore {
  function pathOf(store: StoreName, sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Problem('not-found', { detail: 'There are no such bytes.' });
    return join(root, store, sha256.slice(0, 2), sha256);
  }
  async function has(store: StoreName, sha256: string): Promise<boolean> {
    return access(pathOf(store, sha256)).then(
      () => true,
      () => false,
    );
  }

  async function put(
    store: StoreName,
    source: AsyncIterable<Uint8Array>,
    options: { expect?: string; maxBytes?: number } = {},
  ): Promise<StoredBlob> {
    const incoming = join(root, store, 'incoming');
    await mkdir(incoming, { recursive: true });
    const temporary = join(incoming, randomUUID());
    const hash = createHash('sha256');
    let bytes = 0;
    const file = await open(temporary, 'wx', 0o600);
    try {
      for await (const chunk of source) {
        bytes += chunk.byteLength;
        if (options.maxBytes !== undefined && bytes > options.maxBytes) {
          throw new Problem('too-large', { detail: `More than ${options.maxBytes} bytes.` });
        }
        hash.update(chunk);
        await file.writeFile(chunk);
      }
      await file.sync();
      await file.close();
      const sha256 = hash.digest('hex');
      if (options.expect !== undefined && options.expect !== sha256) {
        throw new Problem('digest-mismatch', {
          detail: `Announced ${options.expect.slice(0, 12)}…, received ${sha256.slice(0, 12)}….`,
          fix: 'Send the file again.',
        });
      }
      const target = pathOf(store, sha256);
      if (await has(store, sha256)) await rm(temporary, { force: true });
      else {
        await mkdir(dirname(target), { recursive: true });
        await rename(temporary, target);
        await syncFolder(dirname(target));
      }
      return { sha256, bytes };
    } catch (error) {
      await file.close().catch(() => undefined);
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async function adopt(
    store: StoreName,
    file: string,
    blob: StoredBlob,
    how: 'move' | 'link',
  ): Promise<'moved' | 'linked' | 'copied' | 'known'> {
    const target = pathOf(store, blob.sha256);
    if (await has(store, blob.sha256)) {
      if (how === 'move') await rm(file, { force: true });
      return 'known';
    }
    await mkdir(dirname(target), { recursive: true });
    if (how === 'move') {
      await syncFile(file);
      await rename(file, target);
    } else if (!(await linked(file, target, blob.bytes))) {
      await put(store, createReadStream(file), { expect: blob.sha256 });
      return 'copied';
    }
    await syncFolder(dirname(target));
    return how === 'move' ? 'moved' : 'linked';
  }

  return {
    put,
    adopt,
    localPath: pathOf,
    has,
    async read(store, sha256, range) {
      if (!(await has(store, sha256))) throw new Problem('not-found', { detail: 'These bytes are gone.' });
      return createReadStream(
        pathOf(store, sha256),
        range === undefined ? { highWaterMark: 256 * 1024 } : { start: range.start, end: range.end - 1 },
      );
    },
    async delete(store, sha256) {
      await rm(pathOf(store, sha256), { force: true });
    },
  };
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** False where the disk or the rights do not allow a link. A link in place of the file, put there in between, is not taken. */
async function linked(file: string, target: string, bytes: number): Promise<boolean> {
  try {
    await link(file, target);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    // Two uploads of the same bytes at once.
    if (code === 'EEXIST') return true;
    if (code === 'EXDEV' || code === 'EPERM' || code === 'EACCES' || code === 'EMLINK' || code === 'ENOTSUP')
      return false;
    throw error;
  }
  const found = await lstat(target);
  if (found.isFile() && found.size === bytes) return true;
  await rm(target, { force: true });
  throw new Problem('conflict', { detail: `${file} changed while it was read.`, fix: 'Add the folder again.' });
}
