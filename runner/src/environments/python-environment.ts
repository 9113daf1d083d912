import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withExclusiveLock } from '../backends/process/exclusive-lock.ts';
import { BuildProgress, type EnvironmentProgress } from './build-progress.ts';
import { compileLater } from './compile-bytecode.ts';
import { EnvironmentError, explainFailure } from './environment-error.ts';
import { environmentKey } from './environment-key.ts';
import type { EnvironmentRequest } from './environment-request.ts';
import { installSteps, removeScratch } from './install-steps.ts';
import { readLockFile } from './lock-file.ts';
import { defaultPython, findPythons, fitsPython, type Python } from './pythons.ts';
import { isComplete, markComplete, markReady } from './ready-packages.ts';
import { runTool } from './run-tool.ts';

export { EnvironmentError } from './environment-error.ts';
export type { EnvironmentProgress } from './build-progress.ts';
export type { EnvironmentRequest } from './environment-request.ts';

export interface EnvironmentDescription {
  readonly needed: boolean;
  readonly ready: boolean;
  /** Null when none is needed or no Python fits. */
  readonly folder: string | null;
  readonly python: Python | null;
  readonly packages: number;
  readonly expectedBytes: number | null;
  /** One sentence when it cannot be built here. */
  readonly problem: string | null;
}

export interface BuiltEnvironment {
  readonly python: string;
  /** To be put before the PATH. */
  readonly path: readonly string[];
}

const LOCK = 'requirements.lock';
/** Rough size of one package, for the sentence before a download of unknown size. */
const BYTES_PER_PACKAGE = 12_000_000;
const NEXT = 'Another Python environment is being prepared; this one is next';
/** Longer than any build: whoever waits shows why. */
const WAIT_FOR_OTHER_MS = 4 * 3_600_000;

/** Says whether a release needs an environment, how big it is and whether it is ready. Builds nothing. */
export async function describeEnvironment(request: EnvironmentRequest): Promise<EnvironmentDescription> {
  const nothing = {
    needed: false,
    ready: true,
    folder: null,
    python: null,
    packages: 0,
    expectedBytes: 0,
    problem: null,
  };
  const lock = await readFile(join(request.packageFolder, LOCK), 'utf8').catch(() => null);
  if (request.requiresPython === undefined || (lock === null && request.setup === undefined)) return nothing;
  const packages = lock === null ? 0 : readLockFile(lock).count;
  const expectedBytes = request.expectedBytes ?? (packages === 0 ? null : packages * BYTES_PER_PACKAGE);
  const python = await choosePython(request.requiresPython);
  if (python === null) {
    const there = (await findPythons()).map(({ version }) => version);
    const list = there.length === 0 ? 'none was found' : `this machine has ${there.join(', ')}`;
    const problem = `${request.release} needs Python ${request.requiresPython}; ${list}.`;
    return { needed: true, ready: false, folder: null, python, packages, expectedBytes, problem };
  }
  const folder = join(request.root, 'envs', environmentKey(request, lock, python));
  return { needed: true, ready: await isComplete(folder), folder, python, packages, expectedBytes, problem: null };
}

/**
 * Builds the environment, or answers the one that is there. Null when the release needs none. Idempotent; calls at the same time, also of other
 * processes, share one build. What a killed build left is deleted and built anew; a half environment is never used. Throws `EnvironmentError`.
 */
export async function ensureEnvironment(
  request: EnvironmentRequest,
  options: { report?: (progress: EnvironmentProgress) => void; signal?: AbortSignal } = {},
): Promise<BuiltEnvironment | null> {
  const description = await describeEnvironment(request);
  if (!description.needed) return null;
  const { folder, python } = description;
  if (folder === null || python === null) {
    throw new EnvironmentError(
      description.problem ?? 'No Python fits.',
      'Install a Python version that fits, for example: uv python install 3.12',
    );
  }
  const report = options.report ?? (() => undefined);
  if (!description.ready) {
    await mkdir(join(request.root, 'envs'), { recursive: true });
    const waiting = {
      phase: 'resolve',
      done: 0,
      total: description.packages,
      sentence: 'Another run is preparing the same Python environment',
    } as const;
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    await withExclusiveLock(
      `${folder}.lock`,
      async () => {
        if (await isComplete(folder)) return;
        // One at a time: two that need the same big package would both load it.
        await withExclusiveLock(
          join(request.root, 'uv-cache.lock'),
          () => build(request, folder, python, report, options.signal),
          { waitMs: WAIT_FOR_OTHER_MS, onWait: () => report({ ...waiting, sentence: NEXT }), ...signal },
        );
      },
      {
        waitMs: WAIT_FOR_OTHER_MS,
        onWait: () => report(waiting),
        ...signal,
      },
    );
  }
  await markReady(request.root, folder, request.packageDigest);
  compileLater(request.root, folder, python.path);
  return { python: join(folder, 'bin', 'python'), path: [join(folder, 'bin')] };
}

async function build(
  request: EnvironmentRequest,
  folder: string,
  python: Python,
  report: (progress: EnvironmentProgress) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  await rm(folder, { recursive: true, force: true }); // without its mark it is half of something
  const lock = await readFile(join(request.packageFolder, LOCK), 'utf8').catch(() => '');
  const { count, unpinned } = readLockFile(lock);
  if (unpinned !== null) {
    throw new EnvironmentError(
      `${LOCK} of ${request.release} does not pin "${unpinned}" with a hash.`,
      `Write it again: uv pip compile --generate-hashes -o ${LOCK}`,
    );
  }
  const cache = join(request.root, 'uv-cache');
  const progress = new BuildProgress(cache, folder, count, report);
  await progress.begin();
  let ok = false;
  try {
    for (const step of await installSteps(request, folder, python, cache)) {
      const result = await runTool({
        argv: step.argv,
        cwd: request.packageFolder,
        environment: step.environment,
        ...(step.walled === undefined ? {} : { walled: step.walled }),
        onStart: (pid) => progress.installer(pid),
        onLine: (line) => progress.line(line),
        ...(signal === undefined ? {} : { signal }),
      });
      if (!result.ok) throw explainFailure(request.release, result.lines);
    }
    ok = true;
  } finally {
    await progress.end(ok);
    await removeScratch(folder);
  }
  await markComplete(folder, request.packageDigest);
}

/** The machine's own python3 where it fits: the newest one often lacks ready-made packages. */
async function choosePython(range: string): Promise<Python | null> {
  const own = await defaultPython();
  if (own !== null && fitsPython(own.version, range)) return own;
  return (await findPythons()).find((python) => fitsPython(python.version, range)) ?? null;
}
