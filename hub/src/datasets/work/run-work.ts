import { fork } from 'node:child_process';
import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '@trainyard/plugin-sdk';
import type { WorkRequest, WorkResult } from './work-request.ts';

/** A folder of one piece of work, removed whatever happens. */
export async function withWorkFolder<T>(scratch: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(scratch, randomUUID());
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    return await work(await realpath(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const AT_ONCE = 2;
const MEGABYTES = 2048;
let running = 0;
const waiting: (() => void)[] = [];

/** Two at a time: reading a dataset takes a core. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  else running += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

/** What the process may read besides its work: its own code and that of the library. */
async function codeFolders(): Promise<string[]> {
  const sdk = await realpath(dirname(dirname(fileURLToPath(import.meta.resolve('@trainyard/plugin-sdk/dataset')))));
  const require = createRequire(join(sdk, 'index.ts'));
  const typebox =
    /^(.*[\\/]node_modules[\\/]typebox)[\\/]/.exec(await realpath(require.resolve('typebox')))?.[1] ?? sdk;
  const here = await realpath(dirname(fileURLToPath(import.meta.url)));
  return [
    ...[sdk, here, typebox].map((folder) => join(folder, '*')),
    ...[join(dirname(sdk), 'package.json'), ...above(here).map((folder) => join(folder, 'package.json'))],
    // Where the name of the library leads to it.
    ...above(here).map((folder) => join(folder, 'node_modules', '@trainyard', 'plugin-sdk', '*')),
  ];
}

function above(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...above(parent)];
}

/**
 * Reads, converts or draws a dataset in a process of its own, so that neither a long text nor a hostile one holds the hub up. `readable` are the
 * folders with the files of the request.
 */
export async function runWork(folder: string, request: WorkRequest, readable: readonly string[]): Promise<WorkResult> {
  await writeFile(join(folder, 'request.json'), JSON.stringify(request));
  const allowed = [...(await codeFolders()), ...[folder, ...readable].map((path) => join(path, '*'))];
  return inTurn(async () => {
    const child = fork(fileURLToPath(new URL('./worker-process.ts', import.meta.url)), [folder], {
      execArgv: [
        '--permission',
        ...allowed.map((path) => `--allow-fs-read=${path}`),
        `--allow-fs-write=${join(folder, '*')}`,
        `--max-old-space-size=${MEGABYTES}`,
        '--no-warnings',
      ],
      env: {},
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let said = '';
    child.stderr?.on('data', (part: Buffer) => (said = `${said}${part.toString()}`.slice(-2000)));
    const code = await new Promise<number | null>((done, failed) => child.once('error', failed).once('exit', done));
    const text = await readFile(join(folder, 'result.json'), 'utf8').catch(() => null);
    if (code !== 0 || text === null) {
      const full = /ENOSPC|EDQUOT/.test(said);
      throw new Problem(full ? 'storage-full' : 'dataset-invalid', {
        detail: /heap out of memory/.test(said)
          ? 'The dataset is too large to be read here.'
          : 'The dataset could not be read.',
        fix: full
          ? 'Free some space, then try again.'
          : 'Divide it, or upload it without files that are no part of it.',
        cause: new Error(`exit ${String(code)}: ${said}`),
      });
    }
    return JSON.parse(text) as WorkResult;
  });
}
