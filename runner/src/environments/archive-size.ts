import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Unpacked bytes of a package in the cache, from its own list of files (`RECORD`: path, digest, size): one read, not one look per file. 0: no list. */
export async function archiveSize(archive: string): Promise<number> {
  const names = await readdir(archive).catch(() => []);
  const info = names.find((name) => name.endsWith('.dist-info'));
  if (info === undefined) return 0;
  const record = await readFile(join(archive, info, 'RECORD'), 'utf8').catch(() => '');
  let sum = 0;
  for (const [, size] of record.matchAll(/,(\d+)\r?$/gm)) sum += Number(size);
  return sum;
}
