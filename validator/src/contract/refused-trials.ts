import { cp, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readOutputTree } from '@trainyard/runner/work';
import type { WrittenDataset } from '../data/test-data.ts';
import type { Bench } from '../trial/bench.ts';
import type { Subject } from '../trial/subject.ts';

/** Jobs that a trainer has to refuse: what it does not support (69), and inputs that are not what was announced (66). */

export const UNKNOWN_MODEL = 'no-such-model-here';
export const UNKNOWN_TASK = 'x-no-such-task';
export const UNKNOWN_FORMAT = 'x-no-such-format';
export const UNKNOWN_DATASET_FORMAT = 'no-such-format@1';
const SOME_DIGEST = '5'.repeat(64);
const MOST_BYTES = 4 * 1024 ** 3;

export function refusedTrials(bench: Bench, subject: Subject, good: WrittenDataset): Promise<unknown>[] {
  const { devices } = subject.manifest.capabilities;
  const job = { verb: 'validate', dataset: good } as const;
  const device = devices.includes('cuda') ? { kind: 'cuda', count: 64 } : { kind: 'cuda', count: 1 };
  return [
    bench.run({ ...job, name: 'unsupported-model', model: UNKNOWN_MODEL }),
    bench.run({ ...job, name: 'unsupported-task', task: UNKNOWN_TASK }),
    bench.run({
      ...{ ...job, name: 'unsupported-dataset-format' },
      overrides: { dataset: { path: 'dataset', format: UNKNOWN_DATASET_FORMAT, digest: good.digest } },
    }),
    // Devices are looked for when they are needed; validate has no use for one.
    bench.run({ name: 'unsupported-device', verb: 'train', dataset: good, overrides: { device } }),
    bench.run({
      ...{ name: 'weights-digest', verb: 'train', dataset: good },
      overrides: { weights: { id: 'trial', path: 'input/weights/trial', sha256: SOME_DIGEST } },
      prepare: async (jobFolder) => {
        await mkdir(join(jobFolder, 'input', 'weights'), { recursive: true });
        await writeFile(join(jobFolder, 'input', 'weights', 'trial'), 'not the weights that were announced');
      },
    }),
  ];
}

export async function emptyCheckpointTrials(bench: Bench, root: string, good: WrittenDataset): Promise<void> {
  const path = join(root, 'c-000001');
  await mkdir(path);
  await bench.run({
    name: 'evaluate-absent',
    verb: 'evaluate',
    dataset: good,
    checkpoint: { path, sha256: SOME_DIGEST },
  });
}

/** With a checkpoint that the trainer made itself. */
export function spoiltCheckpointTrials(
  bench: Bench,
  subject: Subject,
  good: WrittenDataset,
  checkpoint: { readonly path: string; readonly sha256: string },
  root: string,
): Promise<unknown>[] {
  const { capabilities, exports = [] } = subject.manifest;
  const work: Promise<unknown>[] = [];
  if (capabilities.commands.includes('evaluate'))
    work.push(cutShort(bench, root, good, checkpoint), madeByAnother(bench, subject, root, good, checkpoint.path));
  const claim = exports.find(({ tasks }) => tasks === undefined || tasks.includes(subject.task.id));
  if (!capabilities.commands.includes('export') || claim === undefined) return work;
  const wish = { precision: 'fp32', dynamic: [], options: {} };
  const precision = ['int8', 'fp16', 'fp32'].find((word) => !claim.precisions.includes(word));
  work.push(
    bench.run({ name: 'unsupported-format', verb: 'export', checkpoint, export: { ...wish, format: UNKNOWN_FORMAT } }),
  );
  if (precision !== undefined) {
    const asked = { ...wish, format: claim.format, precision };
    work.push(bench.run({ name: 'unsupported-precision', verb: 'export', checkpoint, export: asked }));
  }
  return work;
}

/** The largest file has lost its second half. */
async function cutShort(
  bench: Bench,
  root: string,
  dataset: WrittenDataset,
  { path, sha256 }: { readonly path: string; readonly sha256: string },
): Promise<void> {
  const copy = await copyOf(path, join(root, 'cut'));
  const [largest] = (await filesOf(copy)).sort((a, b) => b.bytes.length - a.bytes.length);
  if (largest === undefined) return;
  await truncate(largest.path, Math.floor(largest.bytes.length / 2));
  await bench.run({ name: 'evaluate-cut', verb: 'evaluate', dataset, checkpoint: { path: copy, sha256 } });
}

/** The version of the trainer is replaced wherever the checkpoint names it; one that names none cannot be tried. */
async function madeByAnother(
  bench: Bench,
  subject: Subject,
  root: string,
  dataset: WrittenDataset,
  path: string,
): Promise<void> {
  const { name, version } = subject.manifest;
  const folder = join(root, 'other');
  const copy = await copyOf(path, folder);
  // As long as it was: headers say how long they are.
  const other = version.replace(/^\d/, (digit) => (digit === '9' ? '8' : '9'));
  let found = false;
  for (const file of await filesOf(copy)) {
    // Only text and the header of safetensors: elsewhere a length or a checksum would break with it.
    if (!/\.(json|safetensors|ya?ml|txt)$/.test(file.path)) continue;
    const text = file.bytes.toString('latin1');
    const next = text.replaceAll(`${name}@${version}`, `${name}@${other}`);
    if (next === text) continue;
    found = true;
    await writeFile(file.path, Buffer.from(next, 'latin1'));
  }
  if (!found) return;
  const { sha256 } = await readOutputTree(folder, `checkpoints/${basename(copy)}`, MOST_BYTES);
  await bench.run({ name: 'evaluate-other', verb: 'evaluate', dataset, checkpoint: { path: copy, sha256 } });
}

async function copyOf(path: string, into: string): Promise<string> {
  const copy = join(into, 'checkpoints', basename(path));
  await cp(path, copy, { recursive: true });
  return copy;
}

async function filesOf(path: string): Promise<{ path: string; bytes: Buffer }[]> {
  const info = await stat(path);
  if (info.isFile()) return [{ path, bytes: await readFile(path) }];
  const files: { path: string; bytes: Buffer }[] = [];
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    files.push({ path: file, bytes: await readFile(file) });
  }
  return files;
}
