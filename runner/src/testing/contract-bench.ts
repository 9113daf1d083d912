import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { executionName, newId, sha256 } from '@trainyard/plugin-sdk';
import type { Backend, Exit, Handle, Marks, Output, OutputStream, WorkSpec } from '../backends/backend.ts';
import type { ScriptStep, TrainerScript } from './trainer-script.ts';

/** What a backend must offer to be judged. */
export interface BackendUnderTest {
  readonly backend: Backend;
  /** Another instance over the same world, as after a restart of the runner. */
  restarted(): Promise<Backend>;
  /** Trainers are real processes: cases that need an operating system run too. */
  readonly real: boolean;
  /** SIGTERM from outside, to the trainer alone. */
  signal(handle: Handle): Promise<void>;
  /** Takes the trainer away together with whoever could tell how it ended. Absent: the step `vanish` of a script does it. */
  vanish?(handle: Handle): Promise<void>;
  /** Names of everything that still exists, inside and outside. */
  leftovers(): Promise<readonly string[]>;
}
export type MakeBackend = (root: string, installation: string) => Promise<BackendUnderTest>;

export const INSTALLATION = 'contract-suite';
const LEDGER = '.ledger';

/** One world per case: folders, a backend, and the checks every case ends with. */
export class ContractBench {
  readonly root: string;
  readonly subject: BackendUnderTest;

  private constructor(root: string, subject: BackendUnderTest) {
    this.root = root;
    this.subject = subject;
  }

  /** How often scripted trainers really began. Counted where a trainer behind a wall may write. */
  async begun(): Promise<number> {
    const jobs = await readdir(join(this.root, 'jobs')).catch(() => []);
    const ledgers = await Promise.all(
      jobs.map((job) => readFile(join(this.root, 'jobs', job, 'output', LEDGER), 'utf8').catch(() => '')),
    );
    return ledgers.join('').split('\n').length - 1;
  }

  get backend(): Backend {
    return this.subject.backend;
  }

  /** Runs a case; afterwards everything is removed and nothing may be left. */
  static async run(make: MakeBackend, test: (bench: ContractBench) => Promise<void>): Promise<void> {
    const root = await mkdtemp(join(tmpdir(), 'trainyard-contract-'));
    const bench = new ContractBench(root, await make(join(root, 'backend'), INSTALLATION));
    try {
      await test(bench);
    } finally {
      for (const handle of await bench.backend.find()) await bench.backend.remove(handle);
      const left = await bench.subject.leftovers();
      await rm(root, { recursive: true, force: true });
      assert.deepEqual(left, [], 'something was left behind');
    }
  }

  async work(
    script: Partial<TrainerScript> & { steps?: readonly ScriptStep[] },
    change: Partial<WorkSpec> = {},
  ): Promise<WorkSpec> {
    const job = change.job ?? newId();
    const jobFolder = join(this.root, 'jobs', job);
    await mkdir(join(jobFolder, 'output'), { recursive: true });
    await mkdir(join(jobFolder, 'checkpoints'), { recursive: true });
    const { steps, ...rest } = script;
    const config = { ...rest, ...(steps === undefined ? {} : { script: steps }) };
    const text = JSON.stringify({ contract: '1.0', jobId: job, attempt: 1, command: 'train', config });
    await writeFile(join(jobFolder, 'job.json'), text);
    return {
      installation: INSTALLATION,
      job,
      attempt: 1,
      kind: 'train',
      specDigest: sha256(text),
      name: executionName(job, 1),
      packageFolder: dirname(fileURLToPath(import.meta.url)),
      environment: null,
      entrypoint: ['node', '{package}/scripted-trainer.ts'],
      verb: 'train',
      jobFolder,
      device: { kind: 'cpu', uuids: [] },
      cpus: 1,
      limits: { memoryBytes: 2 ** 30, maxSeconds: 60, diskBytes: 2 ** 30 },
      grace: 5,
      localEnv: { SCRIPTED_LEDGER: join(jobFolder, 'output', LEDGER) },
      ...change,
    };
  }

  /** Starts, reads everything, waits for the end. */
  async carryOut(work: WorkSpec): Promise<{ handle: Handle; exit: Exit; output: Collected }> {
    const handle = await this.backend.start(work);
    const [exit, output] = await Promise.all([this.backend.wait(handle), collect(this.backend, handle)]);
    return { handle, exit, output };
  }

  /** Follows until the text shows up in a stream. */
  async sees(handle: Handle, stream: OutputStream, text: string, backend: Backend = this.backend): Promise<void> {
    let seen = '';
    for await (const piece of backend.follow(handle)) {
      if (piece.stream !== stream) continue;
      seen += Buffer.from(piece.bytes).toString();
      if (seen.includes(text)) return;
    }
    assert.fail(`"${text}" never showed up in ${stream}; seen: ${seen.slice(-500)}`);
  }
}

export interface Collected {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly events: Buffer;
  readonly marks: Required<Marks>;
  readonly pieces: readonly Output[];
}

/** Reads to the end and checks on the way that no byte is missing or doubled within a generation. */
export async function collect(backend: Backend, handle: Handle, from: Marks = {}): Promise<Collected> {
  const start = { offset: 0, generation: 0 };
  const marks = { stdout: from.stdout ?? start, stderr: from.stderr ?? start, events: from.events ?? start };
  const pieces: Output[] = [];
  for await (const piece of backend.follow(handle, from)) {
    const mark = marks[piece.stream];
    if (piece.generation === mark.generation) assert.equal(piece.offset, mark.offset, `a gap in ${piece.stream}`);
    else assert.deepEqual([piece.generation, piece.offset], [mark.generation + 1, 0]);
    marks[piece.stream] = { offset: piece.offset + piece.bytes.length, generation: piece.generation };
    pieces.push(piece);
  }
  const of = (stream: OutputStream): Buffer =>
    Buffer.concat(pieces.filter((piece) => piece.stream === stream).map((piece) => piece.bytes));
  return { stdout: of('stdout'), stderr: of('stderr'), events: of('events'), marks, pieces };
}

export interface EventLine {
  readonly seq: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

export function eventsOf(bytes: Buffer): readonly EventLine[] {
  const lines = bytes
    .toString()
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line): EventLine => JSON.parse(line));
}

/** Waits for a condition, never for a time. */
export async function eventually(what: string, condition: () => Promise<boolean>, withinMs = 10_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; !(await condition()); await sleep(20)) {
    if (Date.now() > deadline) assert.fail(`not within ${withinMs} ms: ${what}`);
  }
}

export async function folderNames(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).filter((name) => !name.endsWith('.lock'));
}
