import { readFile } from 'node:fs/promises';

/** Processes that a trial started, as this machine sees them. Nothing here works outside Linux; then there is nothing to see. */

/** `executionId` of the process backend is `boot:pid:ticks` of the shim, which is the parent of everything. */
export function shimOf(executionId: string | null): number | null {
  const pid = Number(executionId?.split(':').at(-2));
  return Number.isInteger(pid) && pid > 1 ? pid : null;
}

export async function descendantsOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const children = text
    .split(' ')
    .map(Number)
    .filter((child) => child > 1);
  const below = await Promise.all(children.map(descendantsOf));
  return [...children, ...below.flat()];
}

/** Pages that each of these has in memory, added up: quick to read, and shared ones count for everybody. */
export async function residentPages(pids: readonly number[]): Promise<number> {
  let pages = 0;
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '');
    pages += Number(text.split(' ')[1] ?? 0);
  }
  return pages;
}

/** Bytes of all of them, shared pages counted once. The kernel walks through every page for it, up to 10 ms for a gigabyte. */
export async function memoryOf(pids: readonly number[]): Promise<number> {
  let bytes = 0;
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    bytes += Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
  }
  return bytes;
}

/** Ends the trainer without a word, as a power cut would. */
export async function killBelow(pid: number): Promise<boolean> {
  let killed = false;
  for (const child of await descendantsOf(pid)) {
    try {
      process.kill(child, 'SIGKILL');
      killed = true;
    } catch {
      // Gone already.
    }
  }
  return killed;
}
