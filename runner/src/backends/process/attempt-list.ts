import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AttemptFolder } from './attempt-folder.ts';
import { isOver, readState, type ExecutionState } from './execution-state.ts';
import type { ProcessRecord } from './process-record.ts';

/** A folder that nobody went on with for so long belongs to a runner that died. */
export const ABANDONED_MS = 60_000;

export interface ListedAttempt {
  readonly folder: AttemptFolder;
  readonly record: ProcessRecord;
  readonly state: ExecutionState;
}

/** Everything below the attempts folder, of every installation; sweeps away what dead runners were making or removing. */
export async function listAttempts(attempts: string): Promise<readonly ListedAttempt[]> {
  const names = await readdir(attempts).catch(() => []);
  const listed = await Promise.all(
    names.map(async (name): Promise<ListedAttempt | null> => {
      if (name.startsWith('.')) {
        await sweep(join(attempts, name));
        return null;
      }
      const folder = new AttemptFolder(join(attempts, name));
      const record = await folder.record();
      return record === null ? null : { folder, record, state: await readState(folder) };
    }),
  );
  return listed.filter((attempt) => attempt !== null);
}

async function sweep(path: string): Promise<void> {
  if (!/\/\.(new|trash)-[^/]*$/.test(path)) return;
  const age = Date.now() - ((await stat(path).catch(() => null))?.mtimeMs ?? Date.now());
  if (age > ABANDONED_MS) await rm(path, { recursive: true, force: true });
}

/** Device id → name of the open execution that holds it. Read from the records each time: nothing can get out of step. */
export function busyDevices(attempts: readonly ListedAttempt[]): ReadonlyMap<string, string> {
  const open = attempts.filter(({ state }) => !isOver(state));
  return new Map(open.flatMap(({ record }) => record.devices.map((uuid) => [uuid, record.name] as const)));
}

/** The least used cores; none when all are granted: then there is nothing to bind. */
export async function grantCores(cpus: number, attempts: readonly ListedAttempt[]): Promise<readonly number[]> {
  const allowed = await allowedCores();
  if (cpus >= allowed.length) return [];
  const open = attempts.filter(({ state }) => !isOver(state));
  const used = open.flatMap(({ record }) => (record.cores.length === 0 ? allowed : record.cores));
  const load = (core: number): number => used.filter((other) => other === core).length;
  return [...allowed].sort((a, b) => load(a) - load(b) || a - b).slice(0, cpus);
}

async function allowedCores(): Promise<readonly number[]> {
  const text = await readFile('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(text)?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
