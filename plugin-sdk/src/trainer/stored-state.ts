import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckpointEntry } from './checkpoint-store.ts';
import { InputError } from './errors.ts';
import type { Job } from './job-file.ts';
import { digestOf } from './stored-files.ts';

/** A checkpoint as a trainer reads it. */
export interface StoredState {
  readonly id: string;
  readonly step: number;
  /** Bytes of a file of the checkpoint; throws InputError when it is not there. */
  file(name: string): Buffer;
}

export function openState(folder: string, shown: string, id: string, step: number): StoredState {
  return {
    id,
    step,
    file(name) {
      try {
        return readFileSync(join(folder, name));
      } catch (cause) {
        throw new InputError(`The checkpoint at ${shown} has no file ${name}.`, {
          code: 'input.checkpoint_missing',
          hint: `Fetch ${shown} again, or use another checkpoint.`,
          cause,
        });
      }
    },
  };
}

/** Refuses a checkpoint or weights that are missing or are not the ones that were announced. */
export function requireDigest(
  what: 'checkpoint' | 'weights',
  path: string,
  shown: string,
  expected: string | null,
): void {
  const found = digestOf(path);
  if (found === null) {
    throw new InputError(`There is no ${what} at ${shown}.`, {
      code: `input.${what}_missing`,
      hint: `Put the ${what} at ${shown}, or start from the beginning.`,
    });
  }
  const wanted = expected?.replace(/^sha256:/, '') ?? '';
  if (wanted === '' || wanted === found) return;
  throw new InputError(`The ${what} at ${shown} is not what was saved: its digest differs.`, {
    code: 'input.digest_mismatch',
    hint: `Fetch ${shown} again, or use an earlier checkpoint.`,
  });
}

/** A resume goes on with the config and the dataset the checkpoint was made with. */
export function requireSameJob(entry: CheckpointEntry, job: Job): void {
  const pairs = [
    ['config', entry.configDigest, job.configDigest],
    ['dataset', entry.datasetDigest, job.dataset?.digest ?? null],
  ] as const;
  for (const [what, was, is] of pairs) {
    if (was === null || is === null || was === is) continue;
    throw new InputError(`The checkpoint ${entry.id} was made with another ${what}.`, {
      code: 'input.checkpoint_incompatible',
      hint: `Start a new run with this ${what}; a resume continues with the old one.`,
    });
  }
}
