import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { lookAt } from './look-at.ts';
import { parseIdentity, type ProcessIdentity } from './process-identity.ts';
import { parseProcessRecord, type ProcessRecord } from './process-record.ts';

/** Why an execution was stopped; each is a file of its own, so that several runners may write them without a lock. */
export const STOP_REASONS = ['asked', 'memory', 'deadline', 'disk', 'processes', 'silent'] as const;
export type StopReason = (typeof STOP_REASONS)[number];

/** Time since boot and grace, both in seconds. */
export interface StopRequest {
  readonly at: number;
  readonly grace: number;
}

export interface ExitRecord {
  readonly code: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** The folder of one attempt: `record.json` says what it is, `.run/` belongs to the shim, `tmp/` is the trainer's HOME and TMPDIR. */
export class AttemptFolder {
  readonly path: string;
  readonly run: string;
  readonly tmp: string;
  /** Once written it never changes, and it is asked for ten times a second. */
  #shim: ProcessIdentity | null = null;

  constructor(path: string) {
    this.path = path;
    this.run = join(path, '.run');
    this.tmp = join(path, 'tmp');
  }

  /** Appears whole or not at all; false when the name is taken: this is the 409 of a world of folders. */
  async create(record: ProcessRecord): Promise<boolean> {
    const fresh = join(dirname(this.path), `.new-${randomUUID()}`);
    await mkdir(join(fresh, '.run'), { recursive: true });
    await mkdir(join(fresh, 'tmp'), { mode: 0o700 });
    await writeFile(join(fresh, '.run', 'record.json'), JSON.stringify(record), { flush: true });
    try {
      await rename(fresh, this.path); // a folder is never renamed over one that is not empty
      return true;
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      if (error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST'))
        return false;
      throw error;
    }
  }

  async record(): Promise<ProcessRecord | null> {
    const text = await this.#read('record.json');
    return text === null ? null : parseProcessRecord(text);
  }

  async shim(): Promise<ProcessIdentity | null> {
    this.#shim ??= parseIdentity((await this.#read('begun')) ?? '');
    return this.#shim;
  }

  async trainer(): Promise<ProcessIdentity | null> {
    return parseIdentity((await this.#read('pid')) ?? '');
  }

  async exit(): Promise<ExitRecord | null> {
    const code = /^(\d+)\n$/.exec((await this.#read('exit')) ?? '')?.[1];
    if (code === undefined) return null;
    const [startedAt, endedAt] = await Promise.all([this.#writtenAt('begun'), this.#writtenAt('exit')]);
    return { code: Number(code), startedAt, endedAt };
  }

  async startFailure(): Promise<string | null> {
    return this.#read('start-failed');
  }

  /** Takes the place of the shim for good: a trainer that cannot run, or an execution that nobody ever began. False when a shim was faster. */
  async claimBegun(reason: string): Promise<boolean> {
    if (!(await this.#createOnce('begun', 'never\n'))) return false;
    await writeFile(join(this.run, 'start-failed'), reason);
    return true;
  }

  async begun(): Promise<boolean> {
    return (await this.#read('begun')) !== null;
  }

  async stopRequest(reason: StopReason): Promise<StopRequest | null> {
    const [at, grace] = ((await this.#read(`stop-${reason}`)) ?? '').split(' ');
    return at === undefined || grace === undefined ? null : { at: Number(at), grace: Number(grace) };
  }

  async stopRequests(): Promise<ReadonlyMap<StopReason, StopRequest>> {
    const found = new Map<StopReason, StopRequest>();
    for (const reason of STOP_REASONS) {
      const request = await this.stopRequest(reason);
      if (request !== null) found.set(reason, request);
    }
    return found;
  }

  /** The earlier end of two requests for the same reason counts. */
  async requestStop(reason: StopReason, request: StopRequest): Promise<void> {
    const old = await this.stopRequest(reason);
    if (old !== null && old.at + old.grace <= request.at + request.grace) return;
    const fresh = join(this.run, `.stop-${randomUUID()}`);
    await writeFile(fresh, `${request.at} ${request.grace}`);
    await rename(fresh, join(this.run, `stop-${reason}`));
  }

  /** True for exactly one caller. */
  claimTerm(): Promise<boolean> {
    return this.#createOnce('term-sent', '');
  }

  async noteKilled(): Promise<void> {
    await this.#createOnce('killed', '');
  }

  async wasKilled(): Promise<boolean> {
    return (await this.#read('killed')) !== null;
  }

  createdAt(): Promise<number> {
    return this.#writtenAt('record.json');
  }

  /** The name is free at once; the contents go after it. */
  async remove(): Promise<void> {
    const trash = join(dirname(this.path), `.trash-${randomUUID()}`);
    try {
      await rename(this.path, trash);
    } catch {
      return; // somebody else was faster
    }
    await rm(trash, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  /** Most looks are for files that are not there yet. */
  async #read(name: string): Promise<string | null> {
    if (lookAt(join(this.run, name)) === null) return null;
    return readFile(join(this.run, name), 'utf8').catch(() => null);
  }

  async #writtenAt(name: string): Promise<number> {
    return (await stat(join(this.run, name)).catch(() => null))?.mtimeMs ?? 0;
  }

  async #createOnce(name: string, text: string): Promise<boolean> {
    try {
      await writeFile(join(this.run, name), text, { flag: 'wx' });
      return true;
    } catch {
      return false;
    }
  }
}
