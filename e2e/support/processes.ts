import { readdir, readFile, readlink } from 'node:fs/promises';

export interface SeenProcess {
  readonly pid: number;
  readonly command: string;
}

/** Every process whose command line, working folder or environment names this folder. Works for orphans, too: nothing is asked of a parent. */
export async function processesOf(home: string): Promise<SeenProcess[]> {
  const found: SeenProcess[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const [command, environment, folder] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
      readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''),
      readlink(`/proc/${pid}/cwd`).catch(() => ''),
    ]);
    if (command === '') continue;
    if ([command, environment, folder].some((text) => text.includes(home)))
      found.push({ pid, command: command.replaceAll('\0', ' ').trim() });
  }
  return found;
}

/** Processes of that folder whose command line matches. */
export async function findProcesses(home: string, command: RegExp): Promise<SeenProcess[]> {
  return (await processesOf(home)).filter((item) => command.test(item.command));
}
