import { execFile } from 'node:child_process';
import { lstat, readlink, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../backends/process/process-command.ts';

/** What keeps a checker apart from this machine. TorchScript is code, so `none` is not enough for it. */
export type Wall = 'bubblewrap' | 'unshare' | 'none';

export interface Sandboxed {
  readonly python: string;
  readonly args: readonly string[];
  /** Seen, never written. */
  readonly readable: readonly string[];
  /** Folders that get results. */
  readonly writable: readonly string[];
}

const SYSTEM = ['/usr', '/lib', '/lib64', '/bin'];
const SCRATCH_BYTES = 256 * 2 ** 20;
const MOST_FILE_BYTES = 2 ** 30;
const LOADER = ['/etc/ld.so.cache', '/etc/localtime', '/etc/nsswitch.conf'];

/** Which wall there is on this machine; looked up once. */
let known: Promise<Wall> | null = null;
export function wallHere(): Promise<Wall> {
  known ??= (async () => {
    const path = process.env['PATH'] ?? '';
    const bwrap = await findProgram('bwrap', path);
    if (bwrap !== null && (await works([bwrap, ...(await bare()), '/bin/sh', '-c', 'exit 0']))) return 'bubblewrap';
    const unshare = await findProgram('unshare', path);
    if (unshare !== null && (await works([unshare, ...OFFLINE, 'sh', '-c', 'exit 0']))) return 'unshare';
    return 'none';
  })();
  return known;
}

/** Root needs no user namespace. */
const OFFLINE = process.getuid?.() === 0 ? ['-n', '--'] : ['-r', '-n', '--'];

/** The whole command: no network and, with bubblewrap, nothing of the file system but what is named. */
export async function sandboxed({ python, args, readable, writable }: Sandboxed): Promise<readonly string[]> {
  const path = process.env['PATH'] ?? '';
  const setpriv = await findProgram('setpriv', path);
  const prlimit = await findProgram('prlimit', path);
  const inner = [
    ...(prlimit === null ? [] : [prlimit, `--fsize=${MOST_FILE_BYTES}`, '--core=0', '--']),
    ...(setpriv === null ? [] : [setpriv, '--no-new-privs', '--pdeathsig', 'KILL', '--']),
    python,
    '-s',
    '-B',
    ...args,
  ];
  const wall = await wallHere();
  if (wall === 'none') return inner;
  if (wall === 'unshare') return [(await findProgram('unshare', path)) ?? 'unshare', ...OFFLINE, ...inner];
  const base = dirname(dirname(await realpath(python)));
  const seen = [...new Set([dirname(dirname(python)), base, ...readable])];
  return [
    (await findProgram('bwrap', path)) ?? 'bwrap',
    ...(await bare()),
    ...seen.flatMap((folder) => ['--ro-bind', folder, folder]),
    ...writable.flatMap((folder) => ['--bind', folder, folder]),
    ...['--remount-ro', '/', '--'],
    ...inner,
  ];
}

/** A file system with the system's own programs and nothing else. */
async function bare(): Promise<string[]> {
  const system = await Promise.all(
    SYSTEM.map(async (path) => {
      const there = await lstat(path).catch(() => null);
      if (there === null) return [];
      return there.isSymbolicLink() ? ['--symlink', await readlink(path), path] : ['--ro-bind', path, path];
    }),
  );
  return [
    ...['--unshare-all', '--die-with-parent', '--new-session'],
    ...system.flat(),
    ...LOADER.flatMap((path) => ['--ro-bind-try', path, path]),
    // What a model writes goes into a little memory of its own and is gone with it.
    ...['--proc', '/proc', '--dev', '/dev', '--size', String(SCRATCH_BYTES), '--tmpfs', '/tmp'],
    ...['--setenv', 'HOME', '/tmp', '--setenv', 'TMPDIR', '/tmp', '--chdir', '/tmp'],
  ];
}

function works([program = '', ...args]: readonly string[]): Promise<boolean> {
  return promisify(execFile)(program, args, { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}
