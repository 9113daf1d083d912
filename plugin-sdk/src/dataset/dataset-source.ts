import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../digest.ts';

const HEAD = 256 * 1024;
const TAIL = 64;

/** Files of one dataset, read-only. Every call may run at the same time as any other; a path that is not there gives null. */
export interface DatasetSource {
  read(path: string): Promise<Uint8Array | null>;
  /** The first 256 KiB and the last 64 bytes: enough for the header of a picture. */
  ends(path: string): Promise<{ head: Uint8Array; tail: Uint8Array } | null>;
  digest(path: string): Promise<string | null>;
}

export function sourceFromMap(files: ReadonlyMap<string, Uint8Array>): DatasetSource {
  return {
    read: (path) => Promise.resolve(files.get(path) ?? null),
    ends: (path) => {
      const bytes = files.get(path);
      return Promise.resolve(
        bytes === undefined ? null : { head: bytes.subarray(0, HEAD), tail: bytes.subarray(-TAIL) },
      );
    },
    digest: (path) => {
      const bytes = files.get(path);
      return Promise.resolve(bytes === undefined ? null : sha256(bytes));
    },
  };
}

/** Paths come from files that a stranger wrote, so nothing above the folder is ever opened. */
function isInside(path: string): boolean {
  return path !== '' && !/^([/\\]|[A-Za-z]:)|\0|\\/.test(path) && !path.split('/').includes('..');
}

async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null;
    throw error;
  }
}

export function sourceFromFolder(folder: string): DatasetSource {
  function guarded<T>(path: string, work: (file: string) => Promise<T>): Promise<T | null> {
    return isInside(path) ? orNull(() => work(join(folder, path))) : Promise.resolve(null);
  }
  return {
    read: (path) => guarded(path, (file) => readFile(file)),
    ends: (path) =>
      guarded(path, async (file) => {
        const handle = await open(file);
        try {
          const { size } = await handle.stat();
          const head = Buffer.alloc(Math.min(HEAD, size));
          await handle.read(head, 0, head.length, 0);
          const tail = Buffer.alloc(Math.min(TAIL, size));
          await handle.read(tail, 0, tail.length, size - tail.length);
          return { head, tail };
        } finally {
          await handle.close();
        }
      }),
    digest: (path) =>
      guarded(path, async (file) => {
        const hash = createHash('sha256');
        for await (const part of createReadStream(file)) hash.update(part);
        return `sha256:${hash.digest('hex')}`;
      }),
  };
}
