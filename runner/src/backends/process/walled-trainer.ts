import { readFile } from 'node:fs/promises';
import { bootId, isAlive, type ProcessIdentity } from './process-identity.ts';
import { listProcesses } from './process-tree.ts';

/**
 * The trainer behind a wall: process 2 of the namespace that `bwrap` made, whose process 1 only collects. bwrap itself must not get a SIGTERM: it
 * would end everything at once, without a checkpoint. Null while the trainer is not there yet, or any more.
 */
export async function trainerBehind(bwrap: ProcessIdentity): Promise<ProcessIdentity | null> {
  if (!(await isAlive(bwrap))) return null;
  const all = await listProcesses();
  const collectors = all.filter((stat) => stat.parent === bwrap.pid).map((stat) => stat.pid);
  for (const stat of all.filter(({ parent }) => collectors.includes(parent))) {
    if ((await innerNumber(stat.pid)) === 2) return { boot: bootId(), pid: stat.pid, ticks: stat.ticks };
  }
  return null;
}

/** Its number in the innermost namespace. */
async function innerNumber(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const last = /^NSpid:\s+(.*)$/m.exec(text)?.[1]?.split(/\s+/).at(-1);
  return last === undefined ? null : Number(last);
}
