import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '@trainyard/plugin-sdk';

const LEAST_FREE_BYTES = 64 * 1024 * 1024;

/** One sentence and the way out for what people meet: full disk, missing rights. */
export async function readableFailure(error: unknown, stateDir: string): Promise<unknown> {
  if (error instanceof Problem) return error;
  const text = error instanceof Error ? error.message : String(error);
  const disk = await statfs(stateDir).catch(() => null);
  const full = disk !== null && disk.bavail * disk.bsize < LEAST_FREE_BYTES;
  if (full || /ENOSPC|No space left on device|EDQUOT/i.test(text)) {
    return new Problem('storage-full', {
      detail: `The disk of ${stateDir} is full; PostgreSQL cannot start.`,
      fix: 'Free some space (about 1 GB), then start again. Nothing is lost.',
      cause: error,
    });
  }
  if (/EACCES|EPERM|EROFS|Permission denied|Read-only file system/i.test(text)) {
    return new Problem('unavailable', {
      detail: `PostgreSQL may not write to ${stateDir}.`,
      fix: 'Give this user write access to that folder, or choose another state directory.',
      cause: error,
    });
  }
  return new Problem('unavailable', {
    detail: `PostgreSQL did not start in ${stateDir}: ${text.trim()}`,
    fix: `Read ${join(stateDir, 'postgres', 'server.log')}, or set DATABASE_URL to a PostgreSQL of your own.`,
    cause: error,
  });
}
