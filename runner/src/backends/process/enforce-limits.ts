import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptFolder, StopReason, StopRequest } from './attempt-folder.ts';
import { isOver, readState } from './execution-state.ts';
import { lookAt } from './look-at.ts';
import {
  secondsSinceStart,
  signalProcess,
  uptime,
  type ProcessIdentity,
  type ProcessStat,
} from './process-identity.ts';
import type { ProcessRecord } from './process-record.ts';
import { trainerBehind } from './walled-trainer.ts';
import { killTree, proportionalBytes, residentBytes, treeOf } from './process-tree.ts';

const DEFAULT_PROCESSES = 512;
/** Seconds between TERM and KILL when memory runs out: saving needs memory too. */
const MEMORY_GRACE = 2;
/** So far over the limit that there is no time to ask. */
const FAR_OVER = 1.25;
/** Seconds after which the shim goes too when it does not record the end of a killed trainer. */
const SHIM_PATIENCE = 5;
/** How fast a trainer fills memory and disk at most, in bytes a second: what is left says when to look again. */
const MEMORY_SPEED = 2 * 2 ** 30;
const DISK_SPEED = 2 ** 30;
/** Folders are measured less often than processes, because each file costs a call: when what is left could be full, after this at the latest. */
const DISK_LOOK_SECONDS = 30;

/** Watches one running execution. State that matters lies in the folder, so another runner can go on at any time. */
export class LimitKeeper {
  readonly folder: AttemptFolder;
  readonly #record: ProcessRecord;
  #pids: readonly number[] | null = null;
  #diskLeft: number;
  #diskAgainAt = 0;
  #activity = '';
  #activityAt: number | null = null;

  constructor(folder: AttemptFolder, record: ProcessRecord) {
    this.folder = folder;
    this.#record = record;
    this.#diskLeft = record.limits.diskBytes;
  }

  /** Its processes at the last look; null before the first. */
  get pids(): readonly number[] | null {
    return this.#pids;
  }

  /** One look. Answers the seconds in which it can reach a limit at full speed, zero while it is being stopped; null: nothing to watch any more. */
  async look(processes: readonly ProcessStat[]): Promise<number | null> {
    const state = await readState(this.folder);
    if (isOver(state)) return null;
    if (state.phase !== 'running') return 0;
    const tree = treeOf(state.shim.pid, processes);
    this.#pids = tree.map(({ pid }) => pid);
    const now = uptime();
    const stops = await this.folder.stopRequests();
    const seconds = await this.#checkLimits(state.shim, tree, now, stops);
    await this.#carryOut(state.shim, now);
    return stops.size > 0 ? 0 : seconds;
  }

  async #checkLimits(
    shim: ProcessIdentity,
    tree: readonly ProcessStat[],
    now: number,
    stops: ReadonlyMap<StopReason, StopRequest>,
  ): Promise<number> {
    const { limits, grace } = this.#record;
    const ask = async (reason: StopReason, seconds: number): Promise<void> => {
      if (!stops.has(reason)) await this.folder.requestStop(reason, { at: now, grace: seconds });
    };
    const most = limits.processes ?? DEFAULT_PROCESSES;
    if (tree.length > most) await ask('processes', 0);

    const resident = await residentBytes(tree);
    if (resident > limits.memoryBytes) {
      const exact = await proportionalBytes(tree);
      if (exact > limits.memoryBytes * FAR_OVER) await ask('memory', 0);
      else if (exact > limits.memoryBytes) await ask('memory', Math.min(grace, MEMORY_GRACE));
    }

    if (secondsSinceStart(shim, now) > limits.maxSeconds) await ask('deadline', grace);
    if (await this.#overDisk(now)) await ask('disk', grace);
    if (limits.silenceSeconds !== undefined && this.#silentFor(now) > limits.silenceSeconds) await ask('silent', grace);
    if (tree.length > most / 4) return 0;
    return Math.min((limits.memoryBytes - resident) / MEMORY_SPEED, this.#diskLeft / DISK_SPEED);
  }

  /** Signals what was asked for: TERM once, KILL when the shortest grace is over. */
  async #carryOut(shim: ProcessIdentity, now: number): Promise<void> {
    const stops = [...(await this.folder.stopRequests()).values()];
    if (stops.length === 0) return;
    const started = await this.folder.trainer();
    if (started === null) return; // a moment old; the next look finds it
    const killAt = Math.min(...stops.map((stop) => stop.at + stop.grace));
    if (now < killAt) {
      const trainer = this.#record.wall === 'userns' ? await trainerBehind(started) : started;
      if (trainer === null) return; // as above
      if (await this.folder.claimTerm()) await signalProcess(trainer, 'SIGTERM');
      return;
    }
    await this.folder.noteKilled();
    const spare = now < killAt + SHIM_PATIENCE ? [shim.pid] : [];
    await killTree({ session: shim.pid, privateFolder: this.folder.tmp }, spare);
  }

  async #overDisk(now: number): Promise<boolean> {
    if (now < this.#diskAgainAt) return false;
    const places = [
      this.folder.path,
      join(this.#record.jobFolder, 'output'),
      join(this.#record.jobFolder, 'checkpoints'),
    ];
    const used = (await Promise.all(places.map(folderBytes))).reduce((sum, bytes) => sum + bytes, 0);
    this.#diskLeft = this.#record.limits.diskBytes - used;
    this.#diskAgainAt = now + Math.min(DISK_LOOK_SECONDS, this.#diskLeft / DISK_SPEED);
    return this.#diskLeft < 0;
  }

  #silentFor(now: number): number {
    const paths = [join(this.folder.run, 'stdout'), join(this.folder.run, 'stderr')];
    paths.push(join(this.#record.jobFolder, 'output', 'events.jsonl'));
    const activity = paths
      .map(lookAt)
      .map((stat) => `${stat?.size ?? 0}@${stat?.mtimeMs ?? 0}`)
      .join();
    if (activity !== this.#activity || this.#activityAt === null) {
      this.#activity = activity;
      this.#activityAt = now;
    }
    return now - this.#activityAt;
  }
}

/** Allocated bytes below a folder; links are not followed. */
async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  let sum = 0;
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) sum += await folderBytes(path);
    else sum += (lookAt(path)?.blocks ?? 0) * 512;
  }
  return sum;
}
