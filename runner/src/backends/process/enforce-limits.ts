import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptFolder, StopReason, StopRequest } from './attempt-folder.ts';
import { isOver, readState } from './execution-state.ts';
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
/** Folders are measured less often than processes: each file costs a call. */
const LOOKS_PER_DISK_LOOK = 5;

/** Watches one running execution. State that matters lies in the folder, so another runner can go on at any time. */
export class LimitKeeper {
  readonly folder: AttemptFolder;
  readonly #record: ProcessRecord;
  #looks = 0;
  #nearDisk = false;
  #activity = '';
  #activityAt: number | null = null;

  constructor(folder: AttemptFolder, record: ProcessRecord) {
    this.folder = folder;
    this.#record = record;
  }

  /** One look. `over`: nothing to watch any more. `near`: close to a limit, look again soon. */
  async look(processes: readonly ProcessStat[]): Promise<'over' | 'near' | 'fine'> {
    const state = await readState(this.folder);
    if (isOver(state)) return 'over';
    if (state.phase !== 'running') return 'near';
    const tree = treeOf(state.shim.pid, processes);
    const now = await uptime();
    const stops = await this.folder.stopRequests();
    const near = await this.#checkLimits(state.shim, tree, now, stops);
    await this.#carryOut(state.shim, now);
    return near || stops.size > 0 ? 'near' : 'fine';
  }

  async #checkLimits(
    shim: ProcessIdentity,
    tree: readonly ProcessStat[],
    now: number,
    stops: ReadonlyMap<StopReason, StopRequest>,
  ): Promise<boolean> {
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

    if ((await secondsSinceStart(shim)) > limits.maxSeconds) await ask('deadline', grace);
    if (await this.#overDisk()) await ask('disk', grace);
    if (limits.silenceSeconds !== undefined && (await this.#silentFor(now)) > limits.silenceSeconds)
      await ask('silent', grace);
    return tree.length > most / 4 || resident > limits.memoryBytes / 2 || this.#nearDisk;
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

  async #overDisk(): Promise<boolean> {
    this.#looks += 1;
    if (!this.#nearDisk && this.#looks % LOOKS_PER_DISK_LOOK !== 1) return false;
    const places = [
      this.folder.path,
      join(this.#record.jobFolder, 'output'),
      join(this.#record.jobFolder, 'checkpoints'),
    ];
    const used = (await Promise.all(places.map(folderBytes))).reduce((sum, bytes) => sum + bytes, 0);
    this.#nearDisk = used > this.#record.limits.diskBytes / 2;
    return used > this.#record.limits.diskBytes;
  }

  async #silentFor(now: number): Promise<number> {
    const paths = [join(this.folder.run, 'stdout'), join(this.folder.run, 'stderr')];
    paths.push(join(this.#record.jobFolder, 'output', 'events.jsonl'));
    const stats = await Promise.all(paths.map((path) => lstat(path).catch(() => null)));
    const activity = stats.map((stat) => `${stat?.size ?? 0}@${stat?.mtimeMs ?? 0}`).join();
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
    else sum += ((await lstat(path).catch(() => null))?.blocks ?? 0) * 512;
  }
  return sum;
}
