import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { snapshotDigest } from '@trainyard/plugin-sdk';
import { paintPart, SHAPES } from './painter.ts';

/** An imagefolder in memory; faults are put in before it is written. */
export interface DatasetPlan {
  /** In the order of dataset.json, which is not alphabetical: nobody passes by luck. */
  readonly classes: readonly string[];
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly splits: Readonly<Record<'train' | 'val', readonly string[]>>;
}

/** A dataset on disk, as a local job names it. */
export interface WrittenDataset {
  readonly folder: string;
  readonly format: string;
  readonly digest: string;
  readonly splits: DatasetPlan['splits'];
}

const PER_CLASS = { train: [8, 8, 8], val: [3, 3, 2] } as const;

/** 24 + 8 pictures of three classes, or so many times that. The same seed gives the same bytes. */
export function tinyDataset(seed: number, times = 1): DatasetPlan {
  const files = new Map<string, Uint8Array>();
  const splits: Record<'train' | 'val', string[]> = { train: [], val: [] };
  let picture = 0;
  for (const split of ['train', 'val'] as const) {
    for (const [label, shape] of SHAPES.entries()) {
      for (let number = 0; number < (PER_CLASS[split][label] ?? 0) * times; number += 1) {
        const path = `${split}/${shape}/${String(number).padStart(3, '0')}.png`;
        picture += 1;
        files.set(path, paintPart(shape, seed * 1000 + picture));
        splits[split].push(path);
      }
    }
  }
  return { classes: [...SHAPES], files, splits };
}

export async function writeDataset(plan: DatasetPlan, folder: string): Promise<WrittenDataset> {
  const entries = [...plan.files].map(([path, bytes]) => ({
    path,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }));
  const digest = snapshotDigest(entries);
  for (const [path, bytes] of plan.files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  const splits: Record<string, { images: string; list: string; count: number }> = {};
  for (const split of ['train', 'val'] as const) {
    const paths = plan.splits[split];
    await mkdir(join(folder, split), { recursive: true });
    await writeFile(join(folder, `${split}.txt`), paths.map((path) => `${path}\n`).join(''));
    splits[split] = { images: split, list: `${split}.txt`, count: paths.length };
  }
  const document = {
    schema: 'dataset@1',
    name: 'parts-on-a-belt',
    task: 'classify',
    format: 'imagefolder@1',
    digest,
    snapshot: 'snap-trial',
    classes: plan.classes.map((name, index) => ({ index, name, dir: name })),
    splits,
    license: 'CC0-1.0',
  };
  await writeFile(join(folder, 'dataset.json'), `${JSON.stringify(document, null, 1)}\n`);
  return { folder, format: 'imagefolder@1', digest, splits: plan.splits };
}
