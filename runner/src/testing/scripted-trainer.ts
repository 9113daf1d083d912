import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { playScript, type Stage } from './play-script.ts';
import { parseTrainerScript } from './trainer-script.ts';

/**
 * A real trainer program for tests: `node scripted-trainer.ts <verb> --job <folder>` plays the script in its job.json. Needs no SDK, so that it
 * can also do what no SDK would.
 */
const folder = process.argv[process.argv.indexOf('--job') + 1] ?? '/job';
const script = parseTrainerScript(readFileSync(join(folder, 'job.json'), 'utf8'));
const events = join(folder, 'output', 'events.jsonl');
const kept: Buffer[] = [];
let signals = 0;
let wake = (): void => undefined;

if (script.onTerm !== 'die') {
  process.on('SIGTERM', () => {
    signals += 1;
    if (script.onTerm === 'ignore') return;
    if (signals > 1) process.exit(143);
    wake();
  });
}

/** Beside the system, so that a test can count how often this really ran. */
const ledger = process.env['SCRIPTED_LEDGER'];
if (ledger !== undefined) appendFileSync(ledger, `${process.env['TRAINER_JOB_ID']} ${process.pid}\n`);

const stage: Stage = {
  now: () => Date.now(),
  sleep: (ms) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }),
  print: async (stream, bytes) => writeAll(stream === 'stdout' ? 1 : 2, bytes),
  appendEvents: async (bytes) => appendFileSync(events, bytes),
  truncateEvents: async () => truncateSync(events, 0),
  write: async (path, bytes) => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  },
  rename: async (from, to) => renameSync(join(folder, from), join(folder, to)),
  allocate: async (bytes) => {
    kept.push(Buffer.alloc(bytes, kept.length + 1));
  },
  fork: (escape) =>
    new Promise((resolve) => {
      const child = spawn('sleep', ['120'], { stdio: 'ignore', detached: escape });
      child.on('spawn', resolve);
      child.on('error', () => resolve()); // no more processes: what a fork bomb finds in the end
      child.unref();
    }),
  killSelf: async () => {
    process.kill(process.pid, 'SIGKILL');
    return new Promise<never>(() => setTimeout(() => undefined, 60_000));
  },
  vanish: async () => {
    process.kill(process.ppid, 'SIGKILL');
    process.kill(process.pid, 'SIGKILL');
    return new Promise<never>(() => setTimeout(() => undefined, 60_000));
  },
  stopAsked: () => signals > 0 && script.onTerm === 'save',
};

function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
}

mkdirSync(dirname(events), { recursive: true });
process.exit(await playScript(script, stage));
