import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { setImmediate } from 'node:timers/promises';
import { sendSignal, statNow, type ProcessStat } from './process-identity.ts';

/** Processes read in one go, in about 3 ms; then others have their turn. */
const AT_ONCE = 256;
const NONE: ReadonlySet<number> = new Set();

/** Every process of the machine but `except`, once; none where there is no /proc. /proc answers from memory: handing each of its reads to a thread cost four times as much. */
export async function listProcesses(except: ReadonlySet<number> = NONE): Promise<readonly ProcessStat[]> {
  const pids = namesInProc()
    .map(Number)
    .filter((pid) => pid > 0 && !except.has(pid));
  const found: ProcessStat[] = [];
  for (const [at, pid] of pids.entries()) {
    if (at > 0 && at % AT_ONCE === 0) await setImmediate();
    const stat = statNow(pid);
    if (stat !== null && stat.state !== 'Z' && stat.state !== 'X') found.push(stat);
  }
  return found;
}

function namesInProc(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

/** Members of the session and everything below them. The session id is the shim's pid, so it cannot be reused while a member lives. */
export function treeOf(session: number, all: readonly ProcessStat[]): readonly ProcessStat[] {
  const inside = new Set(all.filter((stat) => stat.session === session).map((stat) => stat.pid));
  for (let grew = true; grew;) {
    grew = false;
    for (const stat of all) {
      if (inside.has(stat.pid) || !inside.has(stat.parent)) continue;
      inside.add(stat.pid);
      grew = true;
    }
  }
  return all.filter((stat) => inside.has(stat.pid));
}

/** Processes that left session and tree but still carry the attempt's private folder in their environment. */
async function strays(privateFolder: string, all: readonly ProcessStat[]): Promise<readonly ProcessStat[]> {
  const mark = `TMPDIR=${privateFolder}`;
  const found = await Promise.all(
    all.map(async (stat) => {
      const text = await readFile(`/proc/${stat.pid}/environ`, 'utf8').catch(() => '');
      return text.split('\0').includes(mark) ? stat : null;
    }),
  );
  return found.filter((stat) => stat !== null);
}

export interface TreeMark {
  /** Pid of the shim when it is known to have led the session, else null. */
  readonly session: number | null;
  /** TMPDIR of the attempt: the one variable no other attempt shares. */
  readonly privateFolder: string;
}

/** What still runs of an execution, except `spare`. */
export async function remaining(mark: TreeMark, spare: readonly number[] = []): Promise<readonly ProcessStat[]> {
  const all = await listProcesses();
  const marked = await strays(mark.privateFolder, all);
  const pids = new Set(marked.map((stat) => stat.pid));
  // A session counts only when the environment confirms it, except for its own leader: after a reboot the number may belong to somebody else.
  const confirmed = mark.session !== null && marked.some((stat) => stat.session === mark.session);
  if (confirmed && mark.session !== null) for (const stat of treeOf(mark.session, all)) pids.add(stat.pid);
  return all.filter((stat) => pids.has(stat.pid) && !spare.includes(stat.pid) && stat.pid !== process.pid);
}

/**
 * SIGKILL to everything of an execution until nothing is left, the shim excepted when it is asked to record the end. Stopping all of them first
 * keeps a fork bomb from outrunning the kills.
 */
export async function killTree(mark: TreeMark, spare: readonly number[] = []): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const left = await remaining(mark, spare);
    if (left.length === 0) return;
    for (const stat of left) sendSignal(stat.pid, 'SIGSTOP');
    for (const stat of left) sendSignal(stat.pid, 'SIGKILL');
    if (round > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let pageSize: Promise<number> | null = null;
function bytesPerPage(): Promise<number> {
  pageSize ??= promisify(execFile)('getconf', ['PAGESIZE']).then(
    ({ stdout }) => Number(stdout) || 4096,
    () => 4096,
  );
  return pageSize;
}

export async function residentBytes(tree: readonly ProcessStat[]): Promise<number> {
  const pages = tree.reduce((sum, stat) => sum + stat.rssPages, 0);
  return pages * (await bytesPerPage());
}

/** Like `residentBytes`, but pages shared by several processes count once. Slower: asked only when the quick number is over the limit. */
export async function proportionalBytes(tree: readonly ProcessStat[]): Promise<number> {
  const page = await bytesPerPage();
  const each = await Promise.all(
    tree.map(async (stat) => {
      const text = await readFile(`/proc/${stat.pid}/smaps_rollup`, 'utf8').catch(() => '');
      const match = /^Pss:\s+(\d+) kB$/m.exec(text);
      return match === null ? stat.rssPages * page : Number(match[1]) * 1024;
    }),
  );
  return each.reduce((sum, bytes) => sum + bytes, 0);
}

/** How often the kernel has killed for lack of memory since boot. */
export async function kernelOutOfMemoryKills(): Promise<number> {
  const text = await readFile('/proc/vmstat', 'utf8').catch(() => '');
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}
