import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DATASET_FORMATS, TASKS, type DatasetFormat, type TaskClaim, type TaskId } from '@trainyard/plugin-sdk';
import type { DatasetFile, SynthOptions } from '@trainyard/plugin-sdk/dataset';

/** A dataset in memory; faults are put in before it is written. */
export interface TestData {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly file: DatasetFile;
}

/** A dataset on disk, as a local job names it. */
export interface WrittenDataset {
  readonly folder: string;
  readonly format: string;
  readonly digest: string;
  readonly data: TestData;
}

export interface DataSize {
  readonly train: number;
  readonly val: number;
}

/** 24 + 8 pictures: enough for one epoch and every verb. */
export const TINY: DataSize = { train: 24, val: 8 };

/** What a probe model has to learn from. */
export function acceptanceSize(task: TaskId): DataSize {
  return task === 'classify' ? { train: 600, val: 150 } : { train: 240, val: 60 };
}

export function isTask(id: string): id is TaskId {
  return Object.hasOwn(TASKS, id);
}

/** The first format that the trainer lists and that can be drawn; null when there is none. */
export function formatFor(task: TaskClaim): DatasetFormat | null {
  return DATASET_FORMATS.find((format) => format === task.datasets[0]) ?? null;
}

/** Parts on a belt, drawn in a worker. The class order is not the alphabetical one: seeds are made odd. */
export function drawTestData(
  task: TaskId,
  format: DatasetFormat,
  seed: number,
  size: DataSize,
  signal: AbortSignal,
): Promise<TestData> {
  const workerData: SynthOptions = { task, format, seed: seed | 1, ...size };
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const worker = new Worker(new URL('./synth-worker.ts', import.meta.url), { workerData });
    const end = (): void => {
      void worker.terminate();
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    signal.addEventListener('abort', end, { once: true });
    worker.once('message', (data: TestData) => {
      signal.removeEventListener('abort', end);
      resolve(data);
      void worker.terminate();
    });
    worker.once('error', reject);
  });
}

export async function writeDataset(data: TestData, folder: string): Promise<WrittenDataset> {
  const made = new Set<string>();
  for (const [path, bytes] of data.files) {
    const into = dirname(join(folder, path));
    if (!made.has(into)) await mkdir(into, { recursive: true });
    made.add(into);
    await writeFile(join(folder, path), bytes);
  }
  return { folder, format: data.file.format, digest: data.file.digest, data };
}

/** Lines of a split's list. */
export function listed(data: TestData, split: string): string[] {
  const bytes = data.files.get(data.file.splits[split]?.list ?? '');
  return bytes === undefined ? [] : linesOf(bytes);
}

export function linesOf(bytes: Uint8Array): string[] {
  return Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** The same data with some files replaced (null: taken out), and dataset.json as it then is. */
export function withFiles(data: TestData, files: Readonly<Record<string, string | Uint8Array | null>>): TestData {
  const next = new Map(data.files);
  for (const [path, content] of Object.entries(files)) {
    if (content === null) next.delete(path);
    else next.set(path, typeof content === 'string' ? Buffer.from(content) : content);
  }
  return { ...data, files: next };
}

export function withDatasetFile(data: TestData, change: (file: DatasetFile) => DatasetFile): TestData {
  const file = change(data.file);
  return { file, files: new Map([...data.files, ['dataset.json', Buffer.from(`${JSON.stringify(file, null, 1)}\n`)]]) };
}

/** The list of a split replaced, and its count. */
export function withList(data: TestData, split: string, paths: readonly string[]): TestData {
  const entry = data.file.splits[split];
  if (entry === undefined) return data;
  const next = withFiles(data, { [entry.list]: paths.map((path) => `${path}\n`).join('') });
  return withDatasetFile(next, (file) => ({
    ...file,
    splits: { ...file.splits, [split]: { ...entry, count: paths.length } },
  }));
}

/** Annotation file of a picture in the formats that have one beside each picture. */
export function annotationOf(data: TestData, image: string): string {
  const folder = data.file.format === 'mask-png@1' ? 'masks' : 'labels';
  const ending = folder === 'masks' ? 'png' : 'txt';
  return `${image.replace(/^images\//, `${folder}/`).replace(/\.[^./]+$/, '')}.${ending}`;
}
