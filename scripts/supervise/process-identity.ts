import { readFile } from 'node:fs/promises';

/** A pid alone may belong to somebody else tomorrow: together with its start time it does not. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly start: string;
}

async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

export async function identify(pid: number): Promise<ProcessIdentity> {
  return { pid, start: (await startOf(pid)) ?? '' };
}

export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  const start = await startOf(process.pid);
  return start !== null && start === process.start;
}
