import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same pid: boot id + pid + start ticks. */
export interface ProcessIdentity {
  readonly boot: string;
  readonly pid: number;
  readonly ticks: number;
}

export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  readonly ticks: number;
  readonly rssPages: number;
}

/** `/proc/<pid>/stat`; fields are counted after the last `)` because a process may be called anything. */
export function parseStat(pid: number, text: string): ProcessStat | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, , session] = fields;
  if (state === undefined || parent === undefined || session === undefined) return null;
  return {
    pid,
    state,
    parent: Number(parent),
    session: Number(session),
    ticks: Number(fields[19]),
    rssPages: Number(fields[21]),
  };
}

let boot: string | null = null;
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

/** Null when there is no such process. Blocks for about 10 µs. */
export function statNow(pid: number): ProcessStat | null {
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return null;
  }
}

/** A zombie counts as gone: nothing of it can act any more, and not every init collects it. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.boot !== bootId()) return false;
  const stat = statNow(identity.pid);
  return stat !== null && stat.ticks === identity.ticks && stat.state !== 'Z' && stat.state !== 'X';
}

/** Signals exactly this process; a reused pid is left alone. Answers whether a signal was sent. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false;
  return sendSignal(identity.pid, signal);
}

export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false; // gone in the meantime, or not ours any more
  }
}

export async function ownIdentity(): Promise<ProcessIdentity> {
  const stat = statNow(process.pid);
  if (stat === null) throw new Error('/proc cannot be read: process identities need it');
  return { boot: bootId(), pid: process.pid, ticks: stat.ticks };
}

export function formatIdentity(identity: ProcessIdentity): string {
  return `${identity.boot}:${identity.pid}:${identity.ticks}`;
}

/** Reads `boot pid ticks`, as the shim writes it; null for anything else, also for a file that is not complete yet. */
export function parseIdentity(text: string): ProcessIdentity | null {
  const match = /^(\S+) (\d+) (\d+)\n$/.exec(text);
  if (match === null) return null;
  return { boot: match[1] ?? '', pid: Number(match[2]), ticks: Number(match[3]) };
}

/** Seconds since boot: goes on while clocks are set. */
export function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
}

/** USER_HZ: fixed at 100 for everything Linux shows in /proc. */
const TICKS_PER_SECOND = 100;

/** `now` as `uptime` gives it. */
export function secondsSinceStart(identity: ProcessIdentity, now: number): number {
  return now - identity.ticks / TICKS_PER_SECOND;
}
