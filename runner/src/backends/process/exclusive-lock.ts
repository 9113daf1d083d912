import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, ownIdentity, parseIdentity } from './process-identity.ts';

/** A takeover takes milliseconds; an older mark belongs to somebody who died in the middle of one. */
const TAKEOVER_STALE_MS = 30_000;

/**
 * Runs `work` while holding the lock file, across processes of this machine. The file names its holder (boot id, pid, start ticks), so a holder
 * that died is found out and replaced. Waits up to `waitMs`, then throws. Not re-entrant.
 */
export async function withExclusiveLock<T>(
  file: string,
  work: () => Promise<T>,
  options: { waitMs?: number; onWait?: () => void; signal?: AbortSignal } = {},
): Promise<T> {
  const deadline = Date.now() + (options.waitMs ?? 30_000);
  for (let first = true; !(await tryLock(file)); first = false) {
    options.signal?.throwIfAborted();
    if (first) options.onWait?.();
    if (Date.now() > deadline) throw new Error(`The lock ${file} is still held by another process`);
    await sleep(20 + Math.random() * 30);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function tryLock(file: string): Promise<boolean> {
  const own = await ownIdentity();
  const fresh = `${file}.${randomUUID()}`;
  await writeFile(fresh, `${own.boot} ${own.pid} ${own.ticks}\n`);
  try {
    if (await linked(fresh, file)) return true;
    const holder = parseIdentity(await readFile(file, 'utf8').catch(() => ''));
    if (holder === null || (await isAlive(holder))) return false;
    return await takeOver(file, fresh);
  } finally {
    await rm(fresh, { force: true });
  }
}

/** Only one taker at a time, and the holder is looked at again inside: otherwise a slow taker would push out a fresh holder. */
async function takeOver(file: string, fresh: string): Promise<boolean> {
  const mark = `${file}.takeover`;
  if (!(await linked(fresh, mark))) {
    const age = Date.now() - ((await stat(mark).catch(() => null))?.mtimeMs ?? Date.now());
    if (age > TAKEOVER_STALE_MS) await rm(mark, { force: true });
    return false;
  }
  try {
    const holder = parseIdentity(await readFile(file, 'utf8').catch(() => ''));
    if (holder !== null && (await isAlive(holder))) return false;
    if (holder === null) return await linked(fresh, file);
    const mine = `${fresh}.mine`;
    await link(fresh, mine);
    await rename(mine, file);
    return true;
  } finally {
    await rm(mark, { force: true });
  }
}

/** Creates `to` with the content of `from`, whole; false when it exists. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
