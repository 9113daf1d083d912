import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultPython } from '../../environments/pythons.ts';
import { Refused, Unavailable } from '../backend.ts';
import type { Backend, BackendOffer, BackendOptions, Exit, Handle, Marks, Output, WorkSpec } from '../backend.ts';
import { AttemptFolder } from './attempt-folder.ts';
import { ABANDONED_MS, busyDevices, grantCores, listAttempts } from './attempt-list.ts';
import { exitOf, isOver, readState, type ExecutionState } from './execution-state.ts';
import { withExclusiveLock } from './exclusive-lock.ts';
import { followFiles, pauseAt } from './follow-files.ts';
import { LimitPatrol } from './limit-patrol.ts';
import { machineOffers } from './machine-offers.ts';
import {
  findProgram,
  processCommand,
  whyNotExecutable,
  type ProcessCommand,
  type Programs,
} from './process-command.ts';
import { formatIdentity, uptime } from './process-identity.ts';
import { isSameWork, recordOf, type ProcessRecord } from './process-record.ts';
import { findWall, type FoundWall } from './try-wall.ts';
import { writeWallEtc } from './wall-etc.ts';
import { walledCommand } from './walled-command.ts';
import { kernelOutOfMemoryKills, killTree } from './process-tree.ts';

export interface ProcessBackendOptions extends BackendOptions {
  /** How often limits are looked at; default 1000. */
  readonly sampleMs?: number;
  /** How often output and ends are looked for; default 100. */
  readonly pollMs?: number;
  /** Default: the one of this machine, when there is one and its trial was green. */
  readonly wall?: FoundWall;
}

const BEGIN_TIMEOUT_MS = 15_000;
export async function createProcessBackend(options: ProcessBackendOptions): Promise<Backend> {
  if ((await stat('/proc/self/stat').catch(() => null)) === null) {
    throw new Error('The process backend needs Linux: it identifies processes by /proc. Use Linux or WSL 2.');
  }
  await mkdir(join(options.root, 'attempts'), { recursive: true });
  const path = process.env['PATH'] ?? '';
  const [nice, taskset, setpriv, prlimit] = await Promise.all(
    ['nice', 'taskset', 'setpriv', 'prlimit'].map((name) => findProgram(name, path)),
  );
  const shim = await readFile(new URL('./shim.sh', import.meta.url), 'utf8');
  const found = options.wall ?? (await findWall());
  const etc = found.wall === null ? {} : await writeWallEtc(join(options.root, 'wall-etc'));
  const programs = {
    ...{ node: process.execPath, python: null, nice: nice ?? null, taskset: taskset ?? null },
    ...{ setpriv: setpriv ?? null, prlimit: prlimit ?? null },
  };
  return new ProcessBackend(options, { shim, programs, found, etc });
}

interface Tools {
  readonly shim: string;
  readonly programs: Programs;
  readonly found: FoundWall;
  /** Files of /etc behind the wall. */
  readonly etc: Readonly<Record<string, string>>;
}

/** Trainers as process groups of this machine, behind a wall where the machine has one; else with the rights of the runner (security.md §8). */
class ProcessBackend implements Backend {
  readonly name = 'process';
  readonly #attempts: string;
  readonly #installation: string;
  readonly #pollMs: number;
  readonly #tools: Tools;
  #granting: Promise<unknown> = Promise.resolve();
  readonly #starting = new Map<string, Promise<Handle>>();
  /** Names whose leftovers were already looked for. */
  readonly #settled = new Map<string, Promise<void>>();
  readonly #patrol: LimitPatrol;

  constructor(options: ProcessBackendOptions, tools: Tools) {
    this.#attempts = join(options.root, 'attempts');
    this.#installation = options.installation;
    this.#pollMs = options.pollMs ?? 100;
    this.#tools = tools;
    this.#patrol = new LimitPatrol(options.sampleMs ?? 1000);
  }

  offers(): Promise<readonly BackendOffer[]> {
    return machineOffers(this.#attempts, this.#tools.programs.taskset !== null, this.#tools.found.note);
  }

  start(work: WorkSpec): Promise<Handle> {
    const running = this.#starting.get(work.name);
    const next = (
      running === undefined ? this.#start(work) : running.catch(() => null).then(() => this.#start(work))
    ).finally(() => {
      if (this.#starting.get(work.name) === next) this.#starting.delete(work.name);
    });
    this.#starting.set(work.name, next);
    return next;
  }

  async #start(work: WorkSpec): Promise<Handle> {
    const folder = this.#folder(work.name);
    const record = (await folder.record()) ?? (await this.#create(folder, work));
    if (!isSameWork(record, work)) {
      const theirs = `job ${record.job} attempt ${record.attempt}, ${record.specDigest}`;
      const ours = `job ${work.job} attempt ${work.attempt}, ${work.specDigest}`;
      const message = `The name ${work.name} is taken by ${theirs}; asked for was ${ours}.`;
      throw new Refused(
        'platform.name_conflict',
        message,
        'Remove the other execution, or start under a new attempt number.',
      );
    }
    if ((await readState(folder)).phase === 'created') await this.#launch(folder, work, record);
    this.#patrol.watch(folder, record);
    return this.#handle(record, await readState(folder));
  }

  /** Under one lock for all runners of this folder, so that devices and cores are granted once. */
  async #create(folder: AttemptFolder, work: WorkSpec): Promise<ProcessRecord> {
    if (!(await stat(work.jobFolder).catch(() => null))?.isDirectory()) {
      throw new Refused(
        'platform.refused',
        `The job folder ${work.jobFolder} does not exist.`,
        'Fill the job folder before the start.',
      );
    }
    // In a queue here, by the lock with other runners: many starts at once should not all poll the lock.
    const granted = this.#granting.then(() =>
      withExclusiveLock(join(this.#attempts, '.grant.lock'), () => this.#grant(folder, work)),
    );
    this.#granting = granted.catch(() => null);
    return granted;
  }

  async #grant(folder: AttemptFolder, work: WorkSpec): Promise<ProcessRecord> {
    const attempts = await listAttempts(this.#attempts);
    const busy = busyDevices(attempts);
    const taken = work.device.uuids.find((uuid) => busy.has(uuid));
    if (taken !== undefined) throw new Unavailable(`The graphics card ${taken} is in use by ${busy.get(taken)}.`);
    const record = recordOf(
      work,
      await grantCores(work.cpus, attempts),
      await kernelOutOfMemoryKills(),
      this.#wallName(),
    );
    if (await folder.create(record)) return record;
    const other = await folder.record();
    if (other === null) throw new Unavailable(`The execution ${work.name} is just being removed.`);
    return other;
  }

  async #launch(folder: AttemptFolder, work: WorkSpec, record: ProcessRecord): Promise<void> {
    const python = (await defaultPython())?.path ?? null;
    const command = processCommand(work, { ...this.#tools.programs, python }, folder.tmp, record.cores);
    const failure = await whyNotExecutable(command.argv[0] ?? '', command.environment['PATH'] ?? '');
    const { wall } = this.#tools.found;
    if (failure !== null) await folder.claimBegun(failure);
    else if (record.wall !== 'userns') await this.#spawn(folder, command, command.argv);
    else if (wall === null) await folder.claimBegun('It was to run behind a wall, and this runner has none any more.');
    else {
      const walled = await walledCommand(wall, work, command, folder.tmp, this.#tools.etc);
      if ('refused' in walled) await folder.claimBegun(walled.refused);
      else await this.#spawn(folder, command, walled.argv);
    }
    const deadline = Date.now() + BEGIN_TIMEOUT_MS;
    while ((await readState(folder)).phase === 'created') {
      if (Date.now() > deadline)
        throw new Unavailable(`The execution ${work.name} did not begin within ${BEGIN_TIMEOUT_MS / 1000} seconds.`);
      await sleep(2);
    }
  }

  #wallName(): 'none' | 'userns' {
    return this.#tools.found.wall === null ? 'none' : 'userns';
  }

  async #spawn(folder: AttemptFolder, command: ProcessCommand, argv: readonly string[]): Promise<void> {
    const [out, err] = await Promise.all(['stdout', 'stderr'].map((name) => open(join(folder.run, name), 'a')));
    try {
      const line = ['-c', this.#tools.shim, 'trainyard-shim', folder.run, ...command.before, ...argv];
      const child = spawn('/bin/sh', line, {
        cwd: folder.tmp,
        env: command.environment,
        detached: true, // its own session and group: nothing that ends the runner reaches it
        stdio: ['ignore', out?.fd ?? 'ignore', err?.fd ?? 'ignore'],
      });
      child.on('error', (error) => void folder.claimBegun(`The system could not start the trainer: ${error.message}.`));
      child.unref();
    } catch (error) {
      await folder.claimBegun(
        `The system could not start the trainer: ${error instanceof Error ? error.message : String(error)}.`,
      );
    } finally {
      await Promise.all([out?.close(), err?.close()]);
    }
  }

  async find(): Promise<readonly Handle[]> {
    const handles: Handle[] = [];
    for (const { folder, record, state } of await listAttempts(this.#attempts)) {
      if (record.installation !== this.#installation) continue;
      if (!isOver(state)) this.#patrol.watch(folder, record);
      handles.push(this.#handle(record, state));
    }
    return handles;
  }

  async *follow(handle: Handle, from: Marks = {}): AsyncGenerator<Output> {
    const folder = this.#folder(handle.name);
    const record = await this.#settledRecord(folder, handle.name);
    if (record === null) return;
    const output = join(record.jobFolder, 'output');
    const files = {
      paths: {
        stdout: join(folder.run, 'stdout'),
        stderr: join(folder.run, 'stderr'),
        events: join(output, 'events.jsonl'),
      },
      within: { stdout: folder.run, stderr: folder.run, events: output },
    };
    const ended = async (): Promise<boolean> => {
      const state = await this.#current(folder);
      if (!isOver(state)) return false;
      await this.#settle(folder, state);
      return true;
    };
    yield* followFiles(files, from, ended, this.#pollMs);
  }

  async wait(handle: Handle): Promise<Exit> {
    const folder = this.#folder(handle.name);
    await this.#settledRecord(folder, handle.name);
    const begun = performance.now();
    for (;;) {
      const state = await this.#current(folder);
      if (isOver(state)) {
        await this.#settle(folder, state);
        return exitOf(folder, state);
      }
      await sleep(pauseAt(performance.now() - begun, this.#pollMs));
    }
  }

  async stop(handle: Handle, grace: number): Promise<void> {
    const folder = this.#folder(handle.name);
    const record = await this.#settledRecord(folder, handle.name);
    if (record === null || isOver(await readState(folder))) return;
    await folder.requestStop('asked', { at: uptime(), grace });
    this.#patrol.watch(folder, record);
    await this.#patrol.lookNow(folder);
  }

  async remove(handle: Handle): Promise<void> {
    const folder = this.#folder(handle.name);
    const record = await this.#settledRecord(folder, handle.name);
    if (record === null) return;
    const state = await readState(folder);
    const current = this.#handle(record, state).executionId;
    if (handle.executionId !== null && current !== null && handle.executionId !== current) {
      throw new Refused(
        'platform.name_conflict',
        `The name ${handle.name} now belongs to the execution ${current}.`,
        'Remove that one by its own handle.',
      );
    }
    this.#patrol.forget(folder);
    if (state.phase === 'created') await folder.claimBegun('');
    const shim = (await folder.shim())?.pid ?? null;
    await killTree({ session: shim, privateFolder: folder.tmp });
    await folder.remove();
    this.#settled.delete(folder.path);
  }

  #folder(name: string): AttemptFolder {
    if (!/^[a-z0-9][a-z0-9._-]{0,127}$/i.test(name))
      throw new Refused('platform.refused', `The name ${name} cannot be a folder.`, 'Use executionName().');
    return new AttemptFolder(join(this.#attempts, name));
  }

  #handle(record: ProcessRecord, state: ExecutionState): Handle {
    const { installation, name, job, attempt, specDigest } = record;
    const shim = 'shim' in state ? state.shim : null;
    const executionId = shim === null ? null : formatIdentity(shim);
    return { backend: this.name, installation, name, job, attempt, specDigest, executionId };
  }

  /** The record, after a `start` under way has settled. */
  async #settledRecord(folder: AttemptFolder, name: string): Promise<ProcessRecord | null> {
    await this.#starting.get(name)?.catch(() => null);
    return folder.record();
  }

  /** The state; an execution that nobody ever began is closed for good after a while. */
  async #current(folder: AttemptFolder): Promise<ExecutionState> {
    const state = await readState(folder);
    if (state.phase !== 'created') return state;
    if (Date.now() - (await folder.createdAt()) > ABANDONED_MS) await folder.claimBegun('');
    return readState(folder);
  }

  /** Once per name: nothing of an ended execution goes on running or writing. */
  #settle(folder: AttemptFolder, state: ExecutionState): Promise<void> {
    const known = this.#settled.get(folder.path);
    if (known !== undefined) return known;
    const session = 'shim' in state ? (state.shim?.pid ?? null) : null;
    const next = state.phase === 'absent' ? Promise.resolve() : killTree({ session, privateFolder: folder.tmp });
    this.#settled.set(folder.path, next);
    return next;
  }
}
