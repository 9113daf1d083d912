import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { emptyTally, skippedPart, type Tally } from './tally.ts';

interface PythonTests {
  readonly title: string;
  /** The folder that `unittest discover` searches; with an `__init__.py` it is a package of the folder above. */
  readonly tests: string;
  /** An interpreter of a prepared environment; without one, the first Python >= 3.10 in PATH. */
  readonly python?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs one folder of unittest files in one process and counts from unittest's own verbose lines. */
export async function runPythonTests(what: PythonTests): Promise<Tally> {
  const python = what.python ?? findPython();
  if (python === null) return skippedPart(what.title, 'no Python 3.10 or newer in PATH: install one, or set PYTHON');
  console.log(`\n── ${what.title}: ${python}`);

  const top = existsSync(join(what.tests, '__init__.py')) ? dirname(what.tests) : what.tests;
  const args = ['-m', 'unittest', 'discover', '-v', '-b', '-s', what.tests, '-t', top];
  const { output, code } = await runPrinting(python, args, {
    cwd: dirname(what.tests),
    env: { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1', ...what.environment },
  });
  return count(what.title, output, code);
}

export function findPython(): string | null {
  const atLeast310 = 'import sys; sys.exit(sys.version_info < (3, 10))';
  for (const name of [process.env['PYTHON'], 'python3', 'python']) {
    if (name === undefined || name === '') continue;
    if (spawnSync(name, ['-c', atLeast310], { stdio: 'ignore' }).status === 0) return name;
  }
  return null;
}

function count(title: string, output: string, code: number | null): Tally {
  const tally = emptyTally();
  for (const line of output.split('\n')) {
    const skip = /^(.*?) \.\.\. skipped ['"](.*)['"]$/.exec(line);
    if (skip !== null) tally.skips.push({ name: `${title}: ${skip[1]}`, reason: skip[2] ?? '' });
    const failure = /^(?:FAIL|ERROR): (.*)$/.exec(line);
    if (failure !== null) tally.failures.push(`${title}: ${failure[1]}`);
  }
  const ran = Number(/^Ran (\d+) tests?/m.exec(output)?.[1] ?? 0);
  tally.failed = tally.failures.length;
  tally.passed = Math.max(0, ran - tally.failed - tally.skips.length);
  if (code !== 0 && tally.failed === 0) {
    tally.failed = 1;
    tally.failures.push(`${title}: ended with ${code} after ${ran} tests`);
  }
  console.log(`${title}: ${tally.passed} passed, ${tally.failed} failed, ${tally.skips.length} skipped`);
  return tally;
}

interface Place {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Lines of passing tests are dropped; everything else is shown as it comes. */
function runPrinting(
  file: string,
  args: readonly string[],
  place: Place,
): Promise<{ output: string; code: number | null }> {
  return new Promise((done, reject) => {
    const child = spawn(file, args, { ...place, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let shown = 0;
    const take = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      const end = output.lastIndexOf('\n') + 1;
      for (const line of output.slice(shown, end).split('\n')) {
        if (line !== '' && !line.endsWith('... ok')) console.log(line);
      }
      shown = Math.max(shown, end);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('close', (code) => done({ output, code }));
  });
}
