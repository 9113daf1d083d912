import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { snapshotDigest, type Digest, type RunJobSpec } from '@trainyard/plugin-sdk';
import { writePackage, writeTarGz } from '@trainyard/plugin-sdk/archive';
import type { FakeJob } from './fake-attempt.ts';

/** The scripted trainer as a package, and jobs that run a script. */

const REFERENCE = new URL('../../../plugin-sdk/reference-trainer/', import.meta.url);

function hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export interface PackedTrainer {
  readonly digest: Digest;
  readonly sha256: string;
  readonly bytes: Buffer;
}

/** `edit` may change its trainer.yaml. */
export async function scriptedPackage(edit: (manifest: string) => string = (text) => text): Promise<PackedTrainer> {
  const trainer = await readFile(new URL('./step-trainer.mjs', import.meta.url));
  const manifest = (await readFile(new URL('trainer.yaml', REFERENCE), 'utf8'))
    .replace('@trainyard/reference', '@test/scripted')
    .replace('{package}/src/main.ts', '{package}/trainer.mjs');
  const bytes = writePackage([
    { path: 'package.json', bytes: Buffer.from('{"name":"@test/scripted","version":"1.0.0"}') },
    { path: 'trainer.yaml', bytes: Buffer.from(edit(manifest)) },
    { path: 'config.schema.json', bytes: Buffer.from('{}') },
    { path: 'presets.json', bytes: Buffer.from('{}') },
    { path: 'README.md', bytes: Buffer.from('# Scripted') },
    { path: 'LICENSE', bytes: Buffer.from('Apache-2.0') },
    { path: 'trainer.mjs', bytes: trainer },
  ]);
  const sha256 = hex(bytes);
  return { digest: `sha256:${sha256}`, sha256, bytes };
}

/** A snapshot archive as the hub makes it: dataset.json first. */
export function scriptedSnapshot(): { digest: Digest; bytes: Buffer } {
  const files = [
    { path: 'images/a.png', bytes: Buffer.from('not really a picture a') },
    { path: 'images/b.png', bytes: Buffer.from('not really a picture b') },
  ];
  const digest = snapshotDigest(
    files.map((file) => ({ path: file.path, sha256: hex(file.bytes), bytes: file.bytes.length })),
  );
  const manifest = Buffer.from(JSON.stringify({ schema: 'dataset@1', format: 'imagefolder@1', digest }));
  return { digest, bytes: writeTarGz([{ path: 'dataset.json', bytes: manifest }, ...files]) };
}

export type Step = Readonly<Record<string, unknown>>;

export async function scriptedJob(
  script: readonly Step[],
  options: { readonly config?: Record<string, unknown>; readonly spec?: Partial<RunJobSpec> } = {},
): Promise<FakeJob> {
  const packed = await scriptedPackage();
  const snapshot = scriptedSnapshot();
  return {
    inputs: new Map([[packed.sha256, packed.bytes]]),
    snapshot: snapshot.bytes,
    spec: {
      kind: 'train',
      run: 'run-1',
      release: {
        id: 'release-1',
        name: '@test/scripted',
        version: '1.0.0',
        packageDigest: packed.digest,
        packageBytes: packed.bytes.length,
      },
      task: 'classify',
      model: 'tiny',
      config: { script: [...script], ...options.config },
      configDigest: `sha256:${'0'.repeat(64)}`,
      seed: 42,
      dataset: { snapshot: 'snap-1', digest: snapshot.digest, format: 'imagefolder@1', task: 'classify' },
      device: { kind: 'cpu', count: 1 },
      limits: { cpus: 1, memoryBytes: 1024 ** 3, shmBytes: 0, maxSeconds: 600 },
      grace: 10,
      checkpoint: null,
      ...options.spec,
    },
  };
}

export const FINISHED: Step = {
  say: 'finished',
  fields: { metrics: { top1: 0.9 }, best: null, seconds: 1 },
};
