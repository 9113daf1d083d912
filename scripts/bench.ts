// `npm run bench`: what the platform costs, one line each, as a ratio against a reference of the same run. `--only claim` runs one.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { testEnvironment } from './testing/trainer-tests.ts';

const BENCHES = ['ingest', 'claim', 'sdk', 'trainers', 'start'];
const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
const wanted = values.only ?? BENCHES;
const unknown = wanted.filter((name) => !BENCHES.includes(name));
if (unknown.length > 0) {
  console.log(`Unknown bench ${unknown.join(', ')}: there are ${BENCHES.join(', ')}.`);
  process.exit(1);
}
// One after the other: two at once would measure each other.
for (const name of wanted) {
  const code = await new Promise((done) => {
    const file = join(import.meta.dirname, '..', 'bench', `${name}.ts`);
    const env = name === 'trainers' ? { ...process.env, TRAINYARD_BENCH_PYTHONS: pythons() } : process.env;
    const child = spawn(process.execPath, [file], { stdio: 'inherit', env });
    child.once('exit', done);
  });
  if (code !== 0) {
    console.log(`${name}: no result`);
    process.exitCode = 1;
  }
}

/** Python of each bundled trainer's environment, built when it is not there yet. */
function pythons(): string {
  const root = join(import.meta.dirname, '..');
  const found = ['timm', 'huggingface', 'ultralytics'].flatMap((trainer) => {
    const environment = testEnvironment(root, trainer, join('trainers', trainer));
    return 'python' in environment ? [[trainer, environment.python] as const] : [];
  });
  return JSON.stringify(Object.fromEntries(found));
}
