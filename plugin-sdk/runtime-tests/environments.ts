import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What the other languages need, built once and kept. Each gives the program, or why it is missing. */

export type Program = { readonly path: string } | { readonly missing: string };

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
const RUNTIME = join(HERE, '..', 'runtime');

function digestOf(...files: string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
}

function cacheFolder(): string {
  const given = process.env['TRAINYARD_TEST_ENVS'];
  return given !== undefined && given !== '' ? given : join(ROOT, '.trainyard', 'cache', 'test-environments');
}

function runs(program: string, ...words: string[]): boolean {
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

/** The driver, compiled with OpenCV's dnn module as engine; kept until a source changes. */
export function prepareCpp(): Program {
  const sources = ['trainyard_predict.hpp', 'trainyard_engine.hpp', 'trainyard_png.hpp'].map((name) =>
    join(RUNTIME, 'cpp', name),
  );
  const driver = join(HERE, 'driver.cpp');
  const path = join(cacheFolder(), `runtime-cpp-${digestOf(driver, ...sources)}`);
  if (existsSync(path)) return { path };
  const found = spawnSync('pkg-config', ['--cflags', 'opencv4'], { encoding: 'utf8' });
  if (found.status !== 0 || !runs('g++', '--version'))
    return { missing: 'apt-get install g++ pkg-config libopencv-dev nlohmann-json3-dev zlib1g-dev' };
  mkdirSync(cacheFolder(), { recursive: true });
  const half = `${path}.${process.pid}`;
  const { status, stderr } = spawnSync(
    'g++',
    [
      ...['-std=c++17', '-O1', '-ffp-contract=off', '-Wall', '-Wextra', '-DTRAINYARD_WITH_OPENCV'],
      ...found.stdout
        .trim()
        .split(/\s+/)
        .map((flag) => flag.replace(/^-I/, '-isystem')),
      ...['-I', join(RUNTIME, 'cpp'), driver, '-o', half],
      ...['-lopencv_dnn', '-lopencv_imgproc', '-lopencv_core', '-lz'],
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`The C++ wrapper does not compile:\n${stderr.slice(0, 4000)}`);
  if (stderr.includes('warning')) throw new Error(`The C++ wrapper compiles with warnings:\n${stderr.slice(0, 4000)}`);
  renameSync(half, path);
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
