import { appendFileSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NO_EVIDENCE, type Evidence, type Exit, type ExitKind, type OutputStream, type WorkSpec } from '../backend.ts';
import { playScript, type Stage } from '../../testing/play-script.ts';
import type { TrainerScript } from '../../testing/trainer-script.ts';
import type { FakeClock } from './fake-clock.ts';

const DEFAULT_PROCESSES = 512;

/** Thrown into a script to end it wherever it is. */
class Ended extends Error {}

interface StreamBytes {
  generation: number;
  bytes: Buffer[];
  length: number;
}

/** One execution that only pretends: plays the script in this process, keeps its streams in memory, writes its files into the job folder. */
export class FakeExecution implements Stage {
  readonly work: WorkSpec;
  readonly executionId: string;
  readonly ended: Promise<Exit>;
  exit: Exit | null = null;
  readonly #script: TrainerScript;
  readonly #clock: FakeClock;
  readonly #streams: Record<OutputStream, StreamBytes>;
  readonly #watchers = new Set<() => void>();
  readonly #startedAt: number;
  /** Fires when a sleep of the script must end. */
  #interrupt = new AbortController();
  /** Fires at the end: nobody watches any more. */
  readonly #over = new AbortController();
  readonly #settle: (exit: Exit) => void;
  #evidence: Evidence = NO_EVIDENCE;
  #death: ExitKind | null = null;
  #signals = 0;
  #killAt = Infinity;
  #allocated = 0;
  #disk = 0;
  #children = 1;
  #spokeAt: number;

  constructor(work: WorkSpec, script: TrainerScript, clock: FakeClock, executionId: string) {
    this.work = work;
    this.executionId = executionId;
    this.#script = script;
    this.#clock = clock;
    this.#startedAt = this.#spokeAt = clock.now();
    const empty = (): StreamBytes => ({ generation: 0, bytes: [], length: 0 });
    this.#streams = { stdout: empty(), stderr: empty(), events: empty() };
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.ended = promise;
    this.#settle = resolve;
    void this.#run();
  }

  async #run(): Promise<void> {
    void this.#deadline();
    void this.#silence();
    if (this.#script.fake.startFailed !== undefined) {
      this.#evidence = { ...this.#evidence, startFailed: this.#script.fake.startFailed };
      return this.#end({ kind: 'exited', code: 127 });
    }
    try {
      const code = await playScript(this.#script, this);
      this.#end(this.#death ?? { kind: 'exited', code });
    } catch (error) {
      if (!(error instanceof Ended)) this.#add('stderr', Buffer.from(`${String(error)}\n`));
      this.#end(this.#death ?? { kind: 'exited', code: 70 });
    }
  }

  #end(kind: ExitKind): void {
    if (this.exit !== null) return;
    const times = {
      startedAt: new Date(this.#startedAt).toISOString(),
      endedAt: new Date(this.#clock.now()).toISOString(),
    };
    this.exit = {
      ...kind,
      evidence: this.#evidence,
      ...(kind.kind === 'vanished' ? { startedAt: null, endedAt: null } : times),
    };
    this.#over.abort();
    this.#settle(this.exit);
    this.#changed();
  }

  async #deadline(): Promise<void> {
    await this.#clock.sleep(this.work.limits.maxSeconds * 1000, this.#over.signal);
    if (this.exit === null) this.#limit({ timedOut: true }, this.work.grace);
  }

  async #silence(): Promise<void> {
    const limit = this.work.limits.silenceSeconds;
    if (limit === undefined) return;
    while (this.exit === null) {
      const left = this.#spokeAt + limit * 1000 - this.#clock.now();
      if (left <= 0) return this.#limit({ silent: true }, this.work.grace);
      await this.#clock.sleep(left, this.#over.signal);
    }
  }

  #limit(evidence: Partial<Evidence>, grace: number): void {
    this.#evidence = { ...this.#evidence, ...evidence };
    this.#stopWithin(grace);
  }

  /** `stop` of the backend: one TERM, the shortest grace counts. */
  stop(grace: number): void {
    if (this.exit !== null) return;
    this.#evidence = { ...this.#evidence, stopAsked: true };
    this.#stopWithin(grace);
  }

  #stopWithin(grace: number): void {
    const killAt = this.#clock.now() + grace * 1000;
    if (killAt < this.#killAt) {
      this.#killAt = killAt;
      if (grace <= 0) return this.#kill();
      void this.#clock.sleep(grace * 1000, this.#over.signal).then(() => {
        if (this.exit === null && this.#killAt === killAt) this.#kill();
      });
    }
    if (this.#signals === 0) this.term();
  }

  #kill(): void {
    this.#evidence = { ...this.#evidence, killedByUs: true };
    this.#die({ kind: 'signal', signal: 'SIGKILL' });
  }

  /** SIGTERM as it reaches the trainer. */
  term(): void {
    this.#signals += 1;
    if (this.#script.onTerm === 'ignore') return;
    if (this.#script.onTerm === 'die' || this.#signals > 1) this.#die({ kind: 'signal', signal: 'SIGTERM' });
    this.#interrupt.abort();
    this.#interrupt = new AbortController();
    if (this.#death !== null) this.#interrupt.abort();
  }

  #die(kind: ExitKind): void {
    this.#death ??= kind;
    this.#interrupt.abort();
    this.#end(this.#death);
  }

  #mayGoOn(): void {
    if (this.#death !== null || this.exit !== null) throw new Ended();
  }

  // What the script does.

  now(): number {
    return this.#clock.now();
  }

  async sleep(ms: number): Promise<void> {
    this.#mayGoOn();
    await this.#clock.sleep(ms, this.#interrupt.signal);
    this.#mayGoOn();
  }

  async print(stream: 'stdout' | 'stderr', bytes: Buffer): Promise<void> {
    this.#mayGoOn();
    this.#add(stream, bytes);
  }

  async appendEvents(bytes: Buffer): Promise<void> {
    this.#mayGoOn();
    appendFileSync(this.#file('output/events.jsonl'), bytes);
    this.#add('events', bytes);
  }

  async truncateEvents(): Promise<void> {
    this.#mayGoOn();
    truncateSync(this.#file('output/events.jsonl'), 0);
    this.#streams.events = { generation: this.#streams.events.generation + 1, bytes: [], length: 0 };
  }

  async write(path: string, bytes: Buffer): Promise<void> {
    this.#mayGoOn();
    writeFileSync(this.#file(path), bytes);
    this.#disk += bytes.length;
    if (this.#disk > this.work.limits.diskBytes) this.#limit({ diskQuota: true }, this.work.grace);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#mayGoOn();
    renameSync(this.#file(from), this.#file(to));
  }

  async allocate(bytes: number): Promise<void> {
    this.#mayGoOn();
    this.#allocated += bytes;
    if (this.#allocated > this.work.limits.memoryBytes) this.#limit({ outOfMemory: true }, 0);
  }

  async fork(): Promise<void> {
    this.#mayGoOn();
    this.#children += 1;
    if (this.#children > (this.work.limits.processes ?? DEFAULT_PROCESSES)) this.#limit({ tooManyProcesses: true }, 0);
  }

  async killSelf(): Promise<never> {
    this.#die({ kind: 'signal', signal: 'SIGKILL' });
    throw new Ended();
  }

  async vanish(): Promise<never> {
    this.#die({ kind: 'vanished' });
    throw new Ended();
  }

  stopAsked(): boolean {
    return this.#signals > 0 && this.#script.onTerm === 'save';
  }

  #file(path: string): string {
    const file = join(this.work.jobFolder, path);
    mkdirSync(dirname(file), { recursive: true });
    return file;
  }

  // What followers see.

  #add(stream: OutputStream, bytes: Buffer): void {
    this.#streams[stream].bytes.push(bytes);
    this.#streams[stream].length += bytes.length;
    this.#spokeAt = this.#clock.now();
    this.#changed();
  }

  /** The first bytes at or after an offset, at most `most`; null when there are none. */
  read(stream: OutputStream, offset: number, most: number): { generation: number; bytes: Buffer } | null {
    const { generation, bytes, length } = this.#streams[stream];
    if (offset >= length) return null;
    let start = 0;
    for (const part of bytes) {
      if (offset < start + part.length)
        return { generation, bytes: part.subarray(offset - start, offset - start + most) };
      start += part.length;
    }
    return null;
  }

  generation(stream: OutputStream): number {
    return this.#streams[stream].generation;
  }

  /** Resolves at the next change; at once when it is over. */
  change(): Promise<void> {
    if (this.exit !== null) return Promise.resolve();
    return new Promise((resolve) => this.#watchers.add(resolve));
  }

  #changed(): void {
    for (const wake of this.#watchers) wake();
    this.#watchers.clear();
  }
}
