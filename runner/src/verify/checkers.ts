import { fileURLToPath } from 'node:url';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '@trainyard/plugin-sdk';
import {
  describeEnvironment,
  ensureEnvironment,
  EnvironmentError,
  type EnvironmentProgress,
  type EnvironmentRequest,
} from '../environments/python-environment.ts';
import type { Checkers } from './export-check.ts';

/** The locked environment of the Python checkers and their script; a runner that was installed without the validator lacks it. */
export const CHECKERS_FOLDER = fileURLToPath(new URL('../../../validator/checkers', import.meta.url));
/** The SDK's own wrapper: opens files and decodes answers. */
export const WRAPPER_FOLDER = fileURLToPath(new URL('../../../plugin-sdk/runtime/python', import.meta.url));

/** What to do where a check needs them; goes into the reason of a claim that stays declared. */
export const PREPARE_COMMAND = 'node runner/src/verify/prepare-checkers.ts';

async function requestFor(root: string): Promise<EnvironmentRequest | null> {
  const lock = await readFile(join(CHECKERS_FOLDER, 'requirements.lock')).catch(() => null);
  if (lock === null) return null;
  return {
    root,
    release: 'the export checkers',
    packageDigest: sha256(lock),
    packageFolder: CHECKERS_FOLDER,
    requiresPython: '>=3.11',
  };
}

/** The checkers if they are built below this root (the folder of all environments of a home); builds nothing. */
export async function readyCheckers(root: string): Promise<Checkers | null> {
  const request = await requestFor(root);
  const described = request === null ? null : await describeEnvironment(request);
  if (described === null || !described.ready || described.folder === null) return null;
  return { python: join(described.folder, 'bin', 'python') };
}

/** Builds the checkers' environment once; calls at the same time share the work. Throws `EnvironmentError`. */
export async function ensureCheckers(options: {
  readonly root: string;
  readonly report?: (progress: EnvironmentProgress) => void;
  readonly signal?: AbortSignal;
}): Promise<Checkers> {
  const { root, ...rest } = options;
  const request = await requestFor(root);
  const built = request === null ? null : await ensureEnvironment(request, rest).catch(withOurHint);
  if (built !== null) return { python: built.python };
  throw new EnvironmentError(
    'The export checkers are not installed here.',
    'Install Trainyard with its folder validator/checkers.',
  );
}

/** Environments are made for releases, and their hints speak of releases. */
function withOurHint(error: unknown): never {
  if (!(error instanceof EnvironmentError) || !error.hint.includes('trainyard prepare')) throw error;
  throw new EnvironmentError(error.message, `While online, run: ${PREPARE_COMMAND}`, error.lines);
}
