import { readFile } from 'node:fs/promises';

/**
 * Bytes that a process and what it started have written to files so far, as the kernel counts them: a few small reads, however many files it were.
 * Children that ended are in the number of whoever waited for them. Null where the kernel does not tell.
 */
export async function writtenBytes(pid: number): Promise<number | null> {
  const io = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => null);
  const own = io === null ? undefined : /^wchar: (\d+)$/m.exec(io)?.[1];
  if (own === undefined) return null;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const pids = children.split(' ').filter((word) => word.trim() !== '');
  const theirs = await Promise.all(pids.map((child) => writtenBytes(Number(child))));
  return theirs.reduce<number>((sum, bytes) => sum + (bytes ?? 0), Number(own));
}
