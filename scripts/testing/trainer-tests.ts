// The bundled trainers' own tests, each in its real environment: the framework of its lock file, really run.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runPythonTests } from './python-tests.ts';
import { addTally, emptyTally, skippedPart, type Tally } from './tally.ts';

interface TrainerTests {
  readonly root: string;
  readonly only: string;
}

type Environment = { readonly python: string } | { readonly missing: string };

export async function runTrainerTests({ root, only }: TrainerTests): Promise<Tally> {
  const tally = emptyTally();
  for (const trainer of trainersWithTests(root)) {
    if (only !== '' && !`trainers/${trainer}/tests`.includes(only)) continue;
    const folder = join(root, 'trainers', trainer);
    const title = `trainers/${trainer}`;
    const environment = testEnvironment(root, trainer, join('trainers', trainer));
    if ('missing' in environment) {
      addTally(tally, skippedPart(title, environment.missing));
      continue;
    }
    const { python } = environment;
    const search = [join(folder, 'src'), process.env['PYTHONPATH'] ?? ''].filter((path) => path !== '').join(':');
    const tests = join(folder, 'tests');
    addTally(tally, await runPythonTests({ title, tests, python, environment: { PYTHONPATH: search } }));
  }
  return tally;
}

function trainersWithTests(root: string): string[] {
  const folder = join(root, 'trainers');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'tests')))
    .sort();
}

/**
 * $TRAINYARD_TEST_ENVS/<name> when it was prepared there; else built once by uv from the hashed lock of the folder into
 * .trainyard/cache/test-environments/<name>-<lock digest> and kept. A half-built one is never taken: it is renamed when done.
 */
export function testEnvironment(root: string, trainer: string, folder: string): Environment {
  const given = process.env['TRAINYARD_TEST_ENVS'];
  if (given !== undefined && given !== '') {
    const python = join(given, trainer, 'bin', 'python');
    if (existsSync(python)) return { python };
  }
  const lock = join(root, folder, 'requirements.lock');
  if (!existsSync(lock)) return { missing: `${folder}/requirements.lock is not there` };
  const digest = createHash('sha256').update(readFileSync(lock)).digest('hex').slice(0, 12);
  const cache = given !== undefined && given !== '' ? given : join(root, '.trainyard', 'cache', 'test-environments');
  const home = join(cache, `${trainer}-${digest}`);
  const python = join(home, 'bin', 'python');
  if (existsSync(python)) return { python };
  if (spawnSync('uv', ['--version'], { stdio: 'ignore' }).status !== 0) {
    return { missing: 'uv is not installed: `pip install uv`, or set TRAINYARD_TEST_ENVS' };
  }
  return build(trainer, { lock, home });
}

function build(trainer: string, { lock, home }: { lock: string; home: string }): Environment {
  const began = Date.now();
  const half = `${home}.${process.pid}`;
  mkdirSync(half, { recursive: true });
  console.log(`\nPreparing the environment of ${trainer} (kept for the next time) …`);
  const steps = [
    ['venv', '--quiet', '--relocatable', '--clear', '--python', '>=3.10', half],
    ['pip', 'sync', '--quiet', '--require-hashes', '--python', join(half, 'bin', 'python'), lock],
  ];
  for (const step of steps) {
    const { status, stderr } = spawnSync('uv', step, { encoding: 'utf8', stdio: ['ignore', 'inherit', 'pipe'] });
    if (status === 0) continue;
    rmSync(half, { recursive: true, force: true });
    return { missing: `its environment could not be built: ${stderr.trim().split('\n').slice(-3).join(' ')}` };
  }
  renameSync(half, home);
  console.log(`Environment of ${trainer}: ${Math.round((Date.now() - began) / 1000)} s`);
  return { python: join(home, 'bin', 'python') };
}
