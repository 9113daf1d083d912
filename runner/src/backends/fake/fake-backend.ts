import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseTrainerScript } from '../../testing/trainer-script.ts';
import { handleOf, OUTPUT_STREAMS, Refused, Unavailable } from '../backend.ts';
import type { Backend, BackendOffer, BackendOptions, Exit, Handle, Mark, Marks, Output, WorkSpec } from '../backend.ts';
import { NO_EVIDENCE } from '../backend.ts';
import { realClock, type FakeClock } from './fake-clock.ts';
import { FakeExecution } from './fake-execution.ts';

export interface FakeBackendOptions extends BackendOptions {
  /** Default: real time. A `VirtualClock` never waits. */
  readonly clock?: FakeClock;
  readonly offer?: Partial<BackendOffer>;
}

const PIECE_BYTES = 256 * 1024;

/** Executions by name and by root: another instance with the same root is the same world, as after a restart of the runner. */
const WORLDS = new Map<string, Map<string, FakeExecution>>();

export async function createFakeBackend(options: FakeBackendOptions): Promise<FakeBackend> {
  return new FakeBackend(options);
}

/**
 * Plays the script in a job's `config` (testing/trainer-script.ts) without any process. Its executions end with this process: for them a lost
 * runner is a lost attempt.
 */
export class FakeBackend implements Backend {
  readonly name = 'fake';
  readonly #installation: string;
  readonly #clock: FakeClock;
  readonly #offer: Partial<BackendOffer>;
  readonly #world: Map<string, FakeExecution>;
  readonly #starting = new Map<string, Promise<Handle>>();

  constructor(options: FakeBackendOptions) {
    this.#installation = options.installation;
    this.#clock = options.clock ?? realClock;
    this.#offer = options.offer ?? {};
    this.#world = WORLDS.get(options.root) ?? new Map();
    WORLDS.set(options.root, this.#world);
  }

  async offers(): Promise<readonly BackendOffer[]> {
    const devices: BackendOffer['devices'] = [{ kind: 'cpu', name: 'CPU', count: 1, uuids: [] }];
    const size = { cpus: 4, memoryBytes: 8 * 2 ** 30, pythons: ['3.12.0'], nodes: ['24.0.0'] };
    return [{ backend: this.name, wall: 'none', devices, ...size, notes: ['Nothing here is real.'], ...this.#offer }];
  }

  start(work: WorkSpec): Promise<Handle> {
    const next = this.#start(work).finally(() => this.#starting.delete(work.name));
    this.#starting.set(work.name, next);
    return next;
  }

  async #start(work: WorkSpec): Promise<Handle> {
    const script = parseTrainerScript(await readFile(join(work.jobFolder, 'job.json'), 'utf8'));
    const { refuse, unavailable, startDelayMs } = script.fake;
    if (refuse !== undefined) throw new Refused('platform.refused', refuse, 'Change the script.');
    if (unavailable !== undefined) throw new Unavailable(unavailable);
    if (startDelayMs !== undefined) await this.#clock.sleep(startDelayMs);
    const existing = this.#world.get(work.name);
    if (existing === undefined) {
      const fresh = new FakeExecution(work, script, this.#clock, `fake:${randomUUID()}`);
      this.#world.set(work.name, fresh);
      return this.#handle(fresh);
    }
    const { installation, job, attempt, specDigest } = existing.work;
    const same = installation === work.installation && job === work.job && attempt === work.attempt;
    if (same && specDigest === work.specDigest) return this.#handle(existing);
    throw new Refused(
      'platform.name_conflict',
      `The name ${work.name} is taken by job ${job} attempt ${attempt}, ${specDigest}; asked for was ${work.specDigest}.`,
      'Remove the other execution, or start under a new attempt number.',
    );
  }

  async find(): Promise<readonly Handle[]> {
    const own = [...this.#world.values()].filter(({ work }) => work.installation === this.#installation);
    return own.map((execution) => this.#handle(execution));
  }

  async *follow(handle: Handle, from: Marks = {}): AsyncGenerator<Output> {
    const execution = await this.#execution(handle);
    if (execution === null) return;
    const start: Mark = { offset: 0, generation: 0 };
    const cursors = OUTPUT_STREAMS.map((stream) => ({ stream, ...(from[stream] ?? start) })).reverse(); // events first
    for (;;) {
      const over = execution.exit !== null;
      const change = execution.change();
      let pieces = 0;
      for (const cursor of cursors) {
        const generation = execution.generation(cursor.stream);
        if (generation !== cursor.generation) Object.assign(cursor, { generation, offset: 0 });
        const piece = execution.read(cursor.stream, cursor.offset, PIECE_BYTES);
        if (piece === null) continue;
        pieces += 1;
        const { stream, offset } = cursor;
        cursor.offset += piece.bytes.length;
        yield { stream, offset, ...piece };
      }
      if (pieces > 0) continue;
      if (over) return;
      await change;
    }
  }

  async wait(handle: Handle): Promise<Exit> {
    const execution = await this.#execution(handle);
    return execution?.ended ?? { kind: 'vanished', evidence: NO_EVIDENCE, startedAt: null, endedAt: null };
  }

  async stop(handle: Handle, grace: number): Promise<void> {
    (await this.#execution(handle))?.stop(grace);
  }

  async remove(handle: Handle): Promise<void> {
    const execution = await this.#execution(handle);
    if (execution === null) return;
    if (handle.executionId !== null && handle.executionId !== execution.executionId) {
      throw new Refused(
        'platform.name_conflict',
        `The name ${handle.name} now belongs to the execution ${execution.executionId}.`,
        'Remove that one by its own handle.',
      );
    }
    execution.stop(0);
    this.#world.delete(handle.name);
  }

  /** SIGTERM as if sent by somebody else. */
  async signal(handle: Handle): Promise<void> {
    (await this.#execution(handle))?.term();
  }

  #handle(execution: FakeExecution): Handle {
    return { ...handleOf(this.name, execution.work), executionId: execution.executionId };
  }

  async #execution(handle: Handle): Promise<FakeExecution | null> {
    await this.#starting.get(handle.name)?.catch(() => null);
    return this.#world.get(handle.name) ?? null;
  }
}

/** Names of everything in a world, for the check that nothing is left. */
export function fakeLeftovers(root: string): readonly string[] {
  return [...(WORLDS.get(root)?.keys() ?? [])];
}
