import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseEventLine } from '../src/event-lines.ts';
import type { TrainerEvent } from '../src/event.ts';

/** Job folders with the handwritten digits, and the reference trainer run on them as a process. For tests. */

const MAIN = fileURLToPath(new URL('src/main.ts', import.meta.url));
const DIGITS = fileURLToPath(new URL('../samples/digits.zip', import.meta.url));
export const DATASET_DIGEST = `sha256:${'d'.repeat(64)}`;
const CONFIG_DIGEST = `sha256:${'c'.repeat(64)}`;

type JobFields = Readonly<Record<string, unknown>>;

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A job folder in the temporary folder; `remove` when done. */
export class JobFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'trainyard-job-'));
  readonly #program: string;
  #fields: JobFields;

  /** `program`: another trainer than the reference one. */
  constructor(fields: JobFields = {}, program = MAIN) {
    this.#program = program;
    this.#fields = {
      ...{ contract: '1.0', jobId: 'job_1', attempt: 1, command: 'train', trainer: '@trainyard/reference@1.0.0' },
      ...{ task: 'classify', model: 'mlp-small', weights: null, config: {}, configDigest: CONFIG_DIGEST, seed: 42 },
      ...{
        dataset: { path: 'dataset', format: 'imagefolder@1', digest: DATASET_DIGEST },
        device: { kind: 'cpu', count: 1 },
        resume: null,
      },
      ...{ limits: { cpus: 1, memoryBytes: 2 ** 29, shmBytes: 0, maxSeconds: 600 }, grace: 10 },
      ...fields,
    };
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  file(path: string): string {
    return join(this.path, path);
  }

  json(path: string): unknown {
    const value: unknown = JSON.parse(readFileSync(this.file(path), 'utf8'));
    return value;
  }

  write(path: string, bytes: string | Uint8Array): void {
    mkdirSync(dirname(this.file(path)), { recursive: true });
    writeFileSync(this.file(path), bytes);
  }

  start(command: string, fields: JobFields = {}): ChildProcess {
    this.#fields = { ...this.#fields, ...fields, command };
    this.write('job.json', JSON.stringify(this.#fields));
    return spawn(process.execPath, [this.#program, command, '--job', this.path], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { OMP_NUM_THREADS: '1' },
    });
  }

  async run(command: string, fields: JobFields = {}): Promise<Ended> {
    return ended(this.start(command, fields));
  }

  /** Whole lines of events.jsonl; throws when one breaks the grammar. */
  events(): TrainerEvent[] {
    if (!existsSync(this.file('output/events.jsonl'))) return [];
    const lines = readFileSync(this.file('output/events.jsonl'), 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const parsed = parseEventLine(line);
      if (!parsed.ok) throw new Error(`${parsed.reason}: ${line}`);
      if ('other' in parsed.event) throw new Error(`unknown event: ${line}`);
      return parsed.event;
    });
  }

  /** Waits until an event is there, at most 60 s. */
  async waitFor(matches: (event: TrainerEvent) => boolean): Promise<void> {
    const deadline = performance.now() + 60_000;
    while (!this.events().some(matches)) {
      if (performance.now() > deadline) throw new Error('The event did not come.');
      await setTimeout(15);
    }
  }

  /** Puts a checkpoint of this job where evaluate, predict and export look for it. */
  offer(entry: { readonly id: string; readonly sha256: string }): { path: string; sha256: string } {
    cpSync(this.file(`checkpoints/${entry.id}`), this.file(`input/checkpoint/${entry.id}`), { recursive: true });
    return { path: `input/checkpoint/${entry.id}`, sha256: entry.sha256 };
  }
}

export async function ended(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
}

/** Writes every `every`-th digit as a dataset, each fifth of those into val. */
export function writeDigits(job: JobFolder, every = 1): void {
  const lists: Record<'train' | 'val', string[]> = { train: [], val: [] };
  for (const [at, { name, bytes }] of readStoredZip(readFileSync(DIGITS)).entries()) {
    if (at % every !== 0) continue;
    const split = (at / every) % 5 === 4 ? 'val' : 'train';
    job.write(`dataset/${split}/${name}`, bytes);
    lists[split].push(`${split}/${name}`);
  }
  writeDataset(
    job,
    Array.from({ length: 10 }, (_, index) => ({ name: `digit ${index}`, dir: String(index) })),
    lists,
  );
}

export function writeDataset(
  job: JobFolder,
  classes: readonly { name: string; dir: string }[],
  lists: Readonly<Record<string, readonly string[]>>,
): void {
  const splits = Object.entries(lists).map(([split, list]) => {
    job.write(`dataset/${split}.txt`, list.map((path) => `${path}\n`).join(''));
    return [split, { images: split, list: `${split}.txt`, count: list.length }] as const;
  });
  const document = {
    ...{
      schema: 'dataset@1',
      name: 'digits',
      task: 'classify',
      format: 'imagefolder@1',
      digest: DATASET_DIGEST,
      snapshot: 'snap_1',
    },
    ...{
      classes: classes.map((item, index) => ({ index, ...item })),
      splits: Object.fromEntries(splits),
      license: 'CC-BY-4.0',
    },
  };
  job.write('dataset/dataset.json', JSON.stringify(document));
}

/** Entries of a zip in which nothing is deflated, in the order of the file. */
function readStoredZip(zip: Buffer): { name: string; bytes: Uint8Array }[] {
  const entries: { name: string; bytes: Uint8Array }[] = [];
  for (let at = 0; zip.readUInt32LE(at) === 0x04034b50;) {
    const size = zip.readUInt32LE(at + 18);
    const name = at + 30;
    const from = name + zip.readUInt16LE(at + 26) + zip.readUInt16LE(at + 28);
    entries.push({
      name: zip.toString('utf8', name, name + zip.readUInt16LE(at + 26)),
      bytes: zip.subarray(from, from + size),
    });
    at = from + size;
  }
  return entries;
}
