// What `npm test` runs: node:test over all workspaces, the Python SDK's unittest, then the short end-to-end files.
//   --e2e       only e2e/, the long files and e2e/site/ too      --python    only the Python SDK
//   --trainers  only trainers/*/tests, each in its real environment, then what they can be seen to do (short)
//   --full      with --trainers: only the proofs, every task; written to docs/proofs.md
//   --only X    only files whose path contains X
// Every skip is printed with its reason; under CI=true a skip fails unless that machine cannot run the test at all.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { runNodeTests } from './testing/node-tests.ts';
import { runPythonTests } from './testing/python-tests.ts';
import { addTally, emptyTally, skippedPart, type Tally } from './testing/tally.ts';
import { proveTrainers } from './testing/prove-trainers.ts';
import { runTrainerTests, testEnvironment } from './testing/trainer-tests.ts';

const root = join(import.meta.dirname, '..');
const workspaces = ['plugin-sdk', 'hub', 'registry', 'runner', 'validator', 'site/src', 'scripts', 'bench'];
const notOurs = /node_modules|\/templates\/|\/dist\/|\/\.svelte-kit\/|\/build\//;

/** A skip for one of these reasons is right on a CI machine: no set-up step of ours could give it what is missing. */
const impossibleInCi = [/\bGPU\b/, /nvidia/i, /CUDA/];

/** They need gigabytes of runtimes, or minutes: they run with the trainers. */
const WITH_RUNTIMES: readonly string[] = [
  'plugin-sdk/runtime-tests/wrappers.test.ts',
  'runner/src/verify/python-check.test.ts',
  'validator/src/lying-trainers.test.ts',
];

const REAL_EXPORTS = join(root, 'plugin-sdk/runtime-tests/real-bundles.test.ts');

const { values: flags } = parseArgs({
  options: {
    e2e: { type: 'boolean', default: false },
    python: { type: 'boolean', default: false },
    trainers: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

process.env['OMP_NUM_THREADS'] = '1';
process.chdir(root);

const everything = !flags.e2e && !flags.python && !flags.trainers;
const total = emptyTally();
const began = Date.now();

if (everything) addTally(total, await runNodeTests({ title: 'unit', files: unitFiles(), concurrency: 2, root }));
if (everything || flags.python) addTally(total, await pythonTests());
if (flags.e2e || everything) {
  addTally(total, await runNodeTests({ title: 'e2e', files: endToEndFiles(flags.e2e), concurrency: 1, root }));
}
if (flags.trainers && !flags.full) {
  const checkers = testEnvironment(root, 'checkers', join('validator', 'checkers'));
  if ('missing' in checkers) addTally(total, skippedPart('export checkers', checkers.missing));
  addTally(total, await runNodeTests({ title: 'with real runtimes', files: runtimeFiles(), concurrency: 1, root }));
  addTally(total, await runTrainerTests({ root, only: flags.only }));
}
if (flags.trainers) {
  const bundles = mkdtempSync(join(tmpdir(), 'trainyard-bundles-'));
  addTally(total, await proveTrainers({ root, bundles, only: flags.only, full: flags.full }));
  // Real exports of those proofs: the same boxes in Node, browser, Python and C++.
  process.env['TRAINYARD_TEST_BUNDLES'] = bundles;
  if (readdirSync(bundles).length > 0)
    addTally(total, await runNodeTests({ title: 'real exports', files: [REAL_EXPORTS], concurrency: 1, root }));
  rmSync(bundles, { recursive: true });
}

process.exitCode = finish(total);

function unitFiles(): string[] {
  return workspaces
    .flatMap((folder) => testFilesUnder(folder, true))
    .filter((file) => !WITH_RUNTIMES.includes(relative(root, file)) && file !== REAL_EXPORTS)
    .filter(isChosen);
}

function runtimeFiles(): string[] {
  return WITH_RUNTIMES.map((file) => join(root, file)).filter(isChosen);
}

/** The files directly in e2e/ are the short ones. */
function endToEndFiles(all: boolean): string[] {
  return testFilesUnder('e2e', all).filter(isChosen);
}

async function pythonTests(): Promise<Tally> {
  const tests = join(root, 'plugin-sdk', 'python', 'tests');
  if (!existsSync(tests) || (flags.only !== '' && !tests.includes(flags.only))) return emptyTally();
  const source = join(root, 'plugin-sdk', 'python');
  return runPythonTests({ title: 'python sdk', tests, environment: { PYTHONPATH: source } });
}

function testFilesUnder(folder: string, deep: boolean): string[] {
  const start = join(root, folder);
  if (!existsSync(start)) return [];
  return readdirSync(start, { withFileTypes: true, recursive: deep })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !notOurs.test(file))
    .sort();
}

function isChosen(file: string): boolean {
  return flags.only === '' || relative(root, file).includes(flags.only);
}

function finish(tally: Tally): number {
  const seconds = Math.round((Date.now() - began) / 1000);
  for (const skip of tally.skips) console.log(`skipped: ${skip.name} (${skip.reason})`);
  const forbidden =
    process.env['CI'] === 'true'
      ? tally.skips.filter(({ reason }) => !impossibleInCi.some((allowed) => allowed.test(reason)))
      : [];
  if (forbidden.length > 0) console.log(`CI=true: ${forbidden.length} of the skips above are not allowed here.`);
  if (tally.passed + tally.failed === 0) console.log('Nothing ran: no test file matches.');
  for (const name of tally.failures) console.log(`failed: ${name}`);
  console.log(`\n${tally.passed} passed, ${tally.failed} failed, ${tally.skips.length} skipped (${seconds} s)`);
  return tally.failed > 0 || forbidden.length > 0 || tally.passed === 0 ? 1 : 0;
}
