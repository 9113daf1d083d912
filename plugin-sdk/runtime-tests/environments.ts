import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What the other languages need, built once and kept. Each gives the program, or why it is missing. */

export type Program = { readonly path: string } | { readonly missing: string };

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');

/** Of what the files hold. */
export function digestOf(...files: string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
}

export function cacheFolder(): string {
  const given = process.env['TRAINYARD_TEST_ENVS'];
  return given !== undefined && given !== '' ? given : join(ROOT, '.trainyard', 'cache', 'test-environments');
}

export function runs(program: string, ...words: string[]): boolean {
  return spawnSync(program, words, { stdio: 'ignore' }).status === 0;
}

/** Python with numpy, onnxruntime and Pillow, of the lock beside this file. */
export function preparePython(): Program {
  const lock = join(HERE, 'requirements.lock');
  const home = join(cacheFolder(), `runtime-${digestOf(lock)}`);
  const path = join(home, 'bin', 'python');
  if (existsSync(path)) return { path };
  if (!runs('uv', '--version')) return { missing: 'uv is not installed: `pip install uv`' };
  const half = `${home}.${process.pid}`;
  mkdirSync(half, { recursive: true });
  const steps = [
    ['venv', '--quiet', '--relocatable', '--clear', '--python', '>=3.10', half],
    ['pip', 'sync', '--quiet', '--require-hashes', '--python', join(half, 'bin', 'python'), lock],
  ];
  for (const step of steps) {
    const { status, stderr } = spawnSync('uv', step, { encoding: 'utf8' });
    if (status === 0) continue;
    rmSync(half, { recursive: true, force: true });
    return { missing: `its environment could not be built: ${stderr.trim().split('\n').slice(-2).join(' ')}` };
  }
  renameSync(half, home);
  return { path };
}

const CHROMIUM = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

export function findChromium(): Program {
  const path = CHROMIUM.find((place) => place !== '' && existsSync(place));
  return path === undefined ? { missing: 'apt-get install chromium, or CHROMIUM=/path/to/chromium' } : { path };
}
