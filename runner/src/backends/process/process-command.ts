import { access, constants, open, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { WorkSpec } from '../backend.ts';

/** Where the machine's own tools are; nothing of the runner's environment is handed on. */
const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin'];

export interface Programs {
  /** Interpreter for releases without an environment of their own. */
  readonly python: string | null;
  readonly node: string;
  /** Absolute paths of small helpers; null where this machine lacks them. */
  readonly nice: string | null;
  readonly taskset: string | null;
  readonly setpriv: string | null;
  readonly prlimit: string | null;
}

export interface ProcessCommand {
  /** The trainer itself: program and arguments. */
  readonly argv: readonly string[];
  /** What goes before it: niceness, core binding, size of files, "no new privileges". Each of them replaces itself, so the pid stays. */
  readonly before: readonly string[];
  /** Complete: the closed list of contract.md §5.3. */
  readonly environment: Readonly<Record<string, string>>;
}

const ABOVE_QUOTA = 8 * 1024 ** 3;

/** Pure: what will be run for a piece of work. */
export function processCommand(
  work: WorkSpec,
  programs: Programs,
  tmp: string,
  cores: readonly number[],
): ProcessCommand {
  const fill = (text: string): string => text.replaceAll('{package}', work.packageFolder);
  const [first = '', ...rest] = work.entrypoint.map(fill);
  const argv = [program(first, work, programs), ...rest, work.verb, '--job', work.jobFolder];
  const most = String(work.limits.diskBytes + ABOVE_QUOTA);
  const before = [
    ...(programs.nice === null ? [] : [programs.nice, '-n', '5']),
    ...(programs.taskset === null || cores.length === 0 ? [] : [programs.taskset, '-c', cores.join(',')]),
    // One huge file may grow faster than anybody looks; up to here the patrol sees it and says which limit it was.
    ...(programs.prlimit === null ? [] : [programs.prlimit, `--fsize=${most}`, '--']),
    ...(programs.setpriv === null ? [] : [programs.setpriv, '--no-new-privs', '--']),
  ];
  const own = Object.entries(work.localEnv).map(([name, value]) => [name, fill(value)]);
  return {
    argv,
    before,
    environment: {
      ...Object.fromEntries(own),
      PATH: [...(work.environment?.path ?? []), ...SYSTEM_PATH].join(delimiter),
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      HOME: tmp,
      TMPDIR: tmp,
      TRAINER_CONTRACT: '1',
      TRAINER_JOB_ID: work.job,
      OMP_NUM_THREADS: String(work.cpus),
      OMP_WAIT_POLICY: 'PASSIVE',
      // Package and environment are shared between runs and stay as they were built.
      PYTHONDONTWRITEBYTECODE: '1',
      // Empty hides devices that were not granted.
      CUDA_VISIBLE_DEVICES: work.device.kind === 'cuda' ? work.device.uuids.join(',') : '',
    },
  };
}

function program(name: string, work: WorkSpec, programs: Programs): string {
  if (name === 'python' || name === 'python3') return work.environment?.python ?? programs.python ?? name;
  if (name === 'node') return programs.node;
  if (name.includes('/') && !isAbsolute(name)) return resolve(work.packageFolder, name);
  return name;
}

/** One sentence when the program cannot be executed, else null. The shell would only say 126 or 127, which a trainer may say too. */
export async function whyNotExecutable(program: string, path: string): Promise<string | null> {
  if (program === '') return 'The entrypoint is empty.';
  const file = await findProgram(program, path);
  if (file === null) return `The entrypoint "${program}" was not found${program.includes('/') ? '' : ` in ${path}`}.`;
  const found = await stat(file);
  if (!found.isFile()) return `The entrypoint "${file}" is not a file.`;
  if (!(await isExecutable(file))) return `The entrypoint "${file}" is not executable.`;
  const interpreter = await interpreterOf(file);
  if (interpreter === null || (await stat(interpreter).catch(() => null)) !== null) return null;
  return `The entrypoint "${file}" asks for the interpreter "${interpreter}", which was not found.`;
}

export async function findProgram(program: string, path: string): Promise<string | null> {
  const places = program.includes('/') ? [program] : path.split(delimiter).map((folder) => join(folder, program));
  let unusable: string | null = null;
  for (const place of places) {
    if (await isExecutable(place)) return place;
    if ((await stat(place).catch(() => null)) !== null) unusable ??= place;
  }
  return unusable;
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function interpreterOf(file: string): Promise<string | null> {
  const handle = await open(file, 'r').catch(() => null);
  if (handle === null) return null;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    const line = buffer.subarray(0, bytesRead).toString('latin1').split('\n', 1)[0] ?? '';
    return /^#!\s*(\S+)/.exec(line)?.[1] ?? null;
  } finally {
    await handle.close();
  }
}
