import { access, lstat, readlink } from 'node:fs/promises';

/** A tool that puts a program behind a wall of namespaces, and which of its newer options it knows. */
export interface Wall {
  /** Absolute path of bwrap. */
  readonly program: string;
  /** The walled program cannot make namespaces of its own (0.8 and newer). */
  readonly canForbidNamespaces: boolean;
  readonly canSizeFolders: boolean;
}

export interface WallPlan {
  readonly argv: readonly string[];
  /** All the program gets; nothing is handed on. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where the program starts. */
  readonly cwd: string;
  /** Folder of this machine that the program sees as /tmp: on disk, so that quotas count it. */
  readonly tmp: string;
  /** Seen at the same paths, read-only. What is missing is left out. */
  readonly readOnly: readonly string[];
  /** Seen at the same paths; laid over `readOnly`. */
  readonly writable: readonly string[];
  /** Links to be made: path → what it says. */
  readonly links: Readonly<Record<string, string>>;
  /** Device files. */
  readonly devices: readonly string[];
  /** Files of /etc by name; the machine's own passwd, keys and settings stay outside. */
  readonly etc: Readonly<Record<string, string>>;
  readonly shmBytes: number;
  readonly network: boolean;
}

/** The one user inside. */
export const WALLED_ID = 10001;
/** Where programs and their libraries are on every system; links there are kept as links. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** What math libraries count cores with. */
const CORES = ['/sys/devices/system/cpu', '/sys/devices/system/node'];
const ETC = ['/etc/ld.so.cache', '/etc/alternatives', '/etc/fonts'];

/**
 * The plan as a command line of bwrap. The program runs in a user namespace of its own, in which number 10001 stands for whoever started the
 * runner, root or not: it may read what the runner may read of the few folders it sees, needs no chown, and what it writes belongs to the runner.
 * For the machine it is that user without any capability; so /proc is read-only too: a runner that is root could else write kernel settings there.
 */
export async function wallCommand(wall: Wall, plan: WallPlan): Promise<readonly string[]> {
  const id = String(WALLED_ID);
  const size = wall.canSizeFolders ? ['--size', String(Math.max(plan.shmBytes, 1024 * 1024))] : [];
  return [
    wall.program,
    ...['--unshare-all', '--unshare-user', '--die-with-parent', '--new-session', '--clearenv'],
    ...['--uid', id, '--gid', id, '--cap-drop', 'ALL', '--hostname', 'trainer'],
    ...(wall.canForbidNamespaces ? ['--disable-userns'] : []),
    ...(plan.network ? ['--share-net'] : []),
    ...(await systemMounts()),
    ...['--proc', '/proc', '--remount-ro', '/proc', '--dev', '/dev', ...size, '--tmpfs', '/dev/shm'],
    ...plan.devices.flatMap((path) => ['--dev-bind-try', path, path]),
    ...[...CORES, ...ETC].flatMap((path) => ['--ro-bind-try', path, path]),
    ...Object.entries(plan.etc).flatMap(([name, source]) => ['--ro-bind-try', source, `/etc/${name}`]),
    ...['--bind', plan.tmp, '/tmp'],
    ...outerFirst(plan.readOnly).flatMap((path) => ['--ro-bind-try', path, path]),
    ...Object.entries(plan.links).flatMap(([path, text]) => ['--symlink', text, path]),
    ...outerFirst(plan.writable).flatMap((path) => ['--bind', path, path]),
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', plan.cwd],
    ...Object.entries(plan.environment).flatMap(([name, value]) => ['--setenv', name, value]),
    '--',
    ...plan.argv,
  ];
}

/** Whether a file is there for a walled program. */
export function isInside(plan: Pick<WallPlan, 'readOnly' | 'writable' | 'links'>, file: string): boolean {
  const places = [...SYSTEM, ...plan.readOnly, ...plan.writable, ...Object.keys(plan.links)];
  return places.some((place) => file === place || file.startsWith(`${place}/`));
}

/** A folder laid over one inside it would hide that. */
function outerFirst(paths: readonly string[]): readonly string[] {
  return paths.toSorted((a, b) => a.length - b.length);
}

async function systemMounts(): Promise<readonly string[]> {
  const each = await Promise.all(
    SYSTEM.map(async (path) => {
      const found = await lstat(path).catch(() => null);
      if (found === null) return [];
      return found.isSymbolicLink() ? ['--symlink', await readlink(path), path] : ['--ro-bind', path, path];
    }),
  );
  return each.flat();
}

export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
