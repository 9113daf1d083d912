import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FileEntry, StoredArtifact, WeightsRef } from '@trainyard/plugin-sdk';
import { pathProblem } from '@trainyard/plugin-sdk/archive';
import { whileCut } from './cut-download.ts';
import { buildJobFile, type JobFileInput } from './job-file.ts';
import { isThere } from './package-store.ts';

/** An input is missing or differs from its digest. */
export class BadInput extends Error {}

/** Answers the bytes with this digest. */
export type OpenInput = (sha256: string) => Promise<AsyncIterable<Uint8Array>>;

export interface JobFolderPlan {
  readonly job: JobFileInput;
  /** Makes the folder `dataset/`; null when the verb has none. */
  readonly dataset: ((target: string) => Promise<void>) | null;
  /** Checkpoint that evaluate, predict and export work on. */
  readonly checkpoint: StoredArtifact | null;
  readonly weights?: WeightsRef | null;
  /** Exported model that evaluate and predict use instead of the checkpoint. */
  readonly modelArtifact?: { readonly format: string; readonly artifact: StoredArtifact } | null;
  /** Checkpoint that training goes on from. */
  readonly resume: StoredArtifact | null;
  readonly images: readonly FileEntry[];
  readonly open: OpenInput;
}

/**
 * Makes everything a trainer finds when it starts. job.json comes last and by rename: a folder with job.json is whole. Safe to call again after a
 * kill in the middle.
 */
export async function fillJobFolder(folder: string, plan: JobFolderPlan): Promise<void> {
  if (await isThere(join(folder, 'job.json'))) return;
  for (const name of ['input', 'checkpoints', 'output']) await mkdir(join(folder, name), { recursive: true });
  if (plan.dataset !== null) await plan.dataset(join(folder, 'dataset'));
  let { job } = plan;
  if (plan.checkpoint !== null) {
    const path = `input/checkpoint/${lastPart(plan.checkpoint.path)}`;
    await placeArtifact(folder, path, plan.checkpoint, plan.open);
    job = { ...job, checkpoint: { path, sha256: plan.checkpoint.sha256 } };
  }
  if (plan.modelArtifact != null) {
    const { format, artifact } = plan.modelArtifact;
    await placeArtifact(folder, 'input/model', artifact, plan.open);
    job = { ...job, modelArtifact: { path: 'input/model', format } };
  }
  if (plan.weights != null) {
    const { id, name, sha256, bytes } = plan.weights;
    const path = `input/weights/${id}`;
    await placeFile(folder, `${path}/${name}`, { path: name, sha256, bytes }, plan.open);
    job = { ...job, weights: { id, path, sha256 } };
  }
  if (plan.resume !== null) {
    await placeResume(folder, plan.resume, job.configDigest, plan.open);
    job = { ...job, resume: { checkpoint: plan.resume.path, step: plan.resume.step ?? 0 } };
  }
  for (const image of plan.images) await placeFile(folder, `input/images/${image.path}`, image, plan.open);
  await writeJson(join(folder, 'job.json'), buildJobFile(job));
}

export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(`${file}.part`, `${JSON.stringify(value, null, 2)}\n`);
  await rename(`${file}.part`, file);
}

function lastPart(path: string): string {
  return path.split('/').at(-1) ?? path;
}

/** A single file is named by its whole path; files of a folder by the path inside it. */
function isSingleFile(artifact: StoredArtifact): boolean {
  return artifact.files.length === 1 && artifact.files[0]?.path === artifact.path;
}

async function placeArtifact(folder: string, path: string, artifact: StoredArtifact, open: OpenInput): Promise<void> {
  for (const file of artifact.files)
    await placeFile(folder, isSingleFile(artifact) ? path : `${path}/${file.path}`, file, open);
}

/** Brings a checkpoint back where the trainer left it, with an index that names only it. */
async function placeResume(
  folder: string,
  artifact: StoredArtifact,
  configDigest: string | null,
  open: OpenInput,
): Promise<void> {
  if (!artifact.path.startsWith('checkpoints/')) throw new BadInput(`${artifact.path} is not inside checkpoints/.`);
  await placeArtifact(folder, artifact.path, artifact, open);
  const id = textOf(artifact.meta['id']) ?? lastPart(artifact.path);
  const entry = {
    id,
    path: artifact.path,
    kinds: artifact.meta['kinds'] ?? ['last'],
    step: artifact.step ?? 0,
    ...(artifact.meta['epoch'] === undefined ? {} : { epoch: artifact.meta['epoch'] }),
    bytes: artifact.files.reduce((sum, file) => sum + file.bytes, 0),
    sha256: artifact.sha256,
    files: artifact.files,
    resumable: true,
    format: artifact.meta['format'] ?? 'other',
    ...(artifact.meta['metric'] === undefined ? {} : { metric: artifact.meta['metric'] }),
    configDigest,
  };
  const best = Array.isArray(entry.kinds) && entry.kinds.includes('best') ? id : null;
  await writeJson(join(folder, 'checkpoints', 'index.json'), {
    schema: 'checkpoints@1',
    last: id,
    best,
    history: [entry],
  });
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

async function placeFile(folder: string, path: string, file: FileEntry, open: OpenInput): Promise<void> {
  await whileCut(() => fetchFile(folder, path, file, open), new AbortController().signal);
}

async function fetchFile(folder: string, path: string, file: FileEntry, open: OpenInput): Promise<void> {
  const problem = pathProblem(path, { pathBytes: 512, pathDepth: 16 });
  if (problem !== null) throw new BadInput(`The path ${path} ${problem}.`);
  const target = join(folder, ...path.split('/'));
  await mkdir(dirname(target), { recursive: true });
  const hash = createHash('sha256');
  await pipeline(
    await open(file.sha256),
    async function* (source: AsyncIterable<Uint8Array>) {
      for await (const chunk of source) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(`${target}.part`),
  );
  if (hash.digest('hex') !== file.sha256.replace('sha256:', '')) {
    await rm(`${target}.part`, { force: true });
    throw new BadInput(`The input ${path} differs from its digest.`);
  }
  await rename(`${target}.part`, target);
}
