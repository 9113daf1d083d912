import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Python {
  /** `3.11.7` */
  readonly version: string;
  /** The interpreter itself, never a shim of a version manager: those need an environment that trainers do not get. */
  readonly path: string;
}

const run = promisify(execFile);
const NAMES = ['python3.10', 'python3.11', 'python3.12', 'python3.13', 'python3.14', 'python'];
const PROBE = 'import sys; print("%d.%d.%d" % sys.version_info[:3]); print(sys.executable)';

let known: Promise<readonly Python[]> | null = null;
let byDefault: Promise<Python | null> | null = null;

/** Interpreters (3.10 and newer) of this machine, newest first; looked up once per process. */
export function findPythons(): Promise<readonly Python[]> {
  const own = defaultPython().then((python) => (python === null ? [] : [python]));
  known ??= Promise.all([own, ...NAMES.map(probe), managedByUv()]).then((found) => {
    const byVersion = new Map<string, Python>();
    for (const python of found.flat()) if (!byVersion.has(python.version)) byVersion.set(python.version, python);
    return [...byVersion.values()]
      .filter((python) => compareVersions(python.version, '3.10.0') >= 0)
      .sort((a, b) => compareVersions(b.version, a.version));
  });
  return known;
}

/** What `python3` means for whoever started this process. */
export function defaultPython(): Promise<Python | null> {
  byDefault ??= probe('python3').then((found) => found[0] ?? null);
  return byDefault;
}

async function probe(name: string): Promise<readonly Python[]> {
  try {
    const { stdout } = await run(name, ['-c', PROBE], { timeout: 10_000 });
    const [version, path] = stdout.split('\n');
    return version === undefined || path === undefined || path === '' ? [] : [{ version, path }];
  } catch {
    return [];
  }
}

async function managedByUv(): Promise<readonly Python[]> {
  try {
    const args = ['python', 'list', '--only-installed', '--managed-python', '--no-config', '--output-format', 'json'];
    const { stdout } = await run('uv', args, { timeout: 20_000 });
    const list: unknown = JSON.parse(stdout);
    return Array.isArray(list) ? list.filter(isPython).map(({ version, path }) => ({ version, path })) : [];
  } catch {
    return [];
  }
}

function isPython(value: unknown): value is Python {
  return (
    typeof value === 'object' &&
    value !== null &&
    'version' in value &&
    typeof value.version === 'string' &&
    'path' in value &&
    typeof value.path === 'string'
  );
}

export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `>=3.10,<3.13`, `3.11`, `==3.12.*`, `~=3.10`: what manifests say about Python. An unreadable part fits nothing. */
export function fitsPython(version: string, range: string): boolean {
  const parts = range.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').every((part) => fitsPart(version, part));
}

function fitsPart(version: string, part: string): boolean {
  const match = /^(>=|<=|==|!=|~=|>|<|)\s*(\d+(?:\.\d+){0,2})(\.\*)?$/.exec(part);
  const [, operator = '', wanted = ''] = match ?? [];
  if (match === null) return false;
  const order = compareVersions(version, wanted);
  const within = `${version}.`.startsWith(`${wanted}.`);
  if (operator === '>=') return order >= 0;
  if (operator === '<=') return order <= 0 || within;
  if (operator === '>') return order > 0 && !within;
  if (operator === '<') return order < 0;
  if (operator === '!=') return !within;
  if (operator === '~=') return order >= 0 && `${version}.`.startsWith(`${wanted.split('.').slice(0, -1).join('.')}.`);
  return within;
}
