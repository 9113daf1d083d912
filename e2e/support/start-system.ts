import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processesOf } from './processes.ts';
import { waitFor } from './wait-for.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface StartOptions {
  /** Folder of all state; the same one again is a second start. */
  readonly home: string;
  readonly port: number;
  /** Factor on lease times. */
  readonly leaseScale?: number;
  /** Trainers run as bare processes, as where no wall can be had. */
  readonly bare?: true;
}

/** A whole installation as a child process, just as `npm start` runs it. */
export interface StartedSystem {
  readonly url: string;
  readonly port: number;
  readonly home: string;
  readonly pid: number;
  /** Text of the one-time link; null when there is an administrator. */
  readonly setUpToken: string | null;
  output(): string;
  /** Ctrl-C, then waits for the end; gives the exit code. */
  stop(): Promise<number | null>;
  /** kill -9 of the supervisor, which is hub and registry, too. */
  kill(): Promise<void>;
}

/** A folder for the state of one installation. The database server may run as another user, so others may look into it. */
export async function makeHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'trainyard-e2e-'));
  await chmod(home, 0o755);
  return home;
}

export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const probe = createServer();
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        address !== null && typeof address === 'object' ? done(address.port) : failed(new Error('no port')),
      );
    });
  });
}

function spawnStart(options: StartOptions): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, 'scripts', 'start.ts')], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      LANG: process.env['LANG'],
      OMP_NUM_THREADS: '1',
      TRAINYARD_HOME: options.home,
      TRAINYARD_LEASE_SCALE: String(options.leaseScale ?? 1),
      // Minutes of work beside every test otherwise.
      TRAINYARD_PROVE: 'off',
      ...(options.bare === true ? { TRAINYARD_WALL: 'none' } : {}),
      PORT: String(options.port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const keep = (chunk: Buffer): void => void (text += chunk.toString());
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return { child, output: () => text };
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Starts it and waits until it has said where it is. Fails with everything it said when it ends instead. */
export async function startSystem(options: StartOptions): Promise<StartedSystem> {
  const { child, output } = spawnStart(options);
  const url = await waitFor(
    'the address of the system',
    () => {
      if (ended(child)) return { failure: output() };
      return output().includes('Ctrl-C stops it') ? /running: (\S+)/.exec(output())?.[1] : null;
    },
    60,
  );
  if (typeof url !== 'string') throw new Error(`The system ended at its start. ${url.failure}`);
  const port = Number(new URL(url).port);
  return {
    url,
    port,
    home: options.home,
    pid: child.pid ?? 0,
    setUpToken: /set-up\?token=(\S+)/.exec(output())?.[1] ?? null,
    output,
    async stop() {
      if (!ended(child)) child.kill('SIGINT');
      await waitFor('the end of the system', () => ended(child), 40);
      return child.exitCode;
    },
    async kill() {
      child.kill('SIGKILL');
      await waitFor('the death of the system', () => ended(child), 10);
    },
  };
}

/** A start that is expected to fail: its exit code and all it said. */
export async function failToStart(options: StartOptions): Promise<{ code: number | null; output: string }> {
  const { child, output } = spawnStart(options);
  await waitFor('the end of the second start', () => ended(child), 60);
  return { code: child.exitCode, output: output() };
}

/** Ends whatever a test left of that installation, then removes its folder. For `after` hooks: never fails because something is gone already. */
export async function removeHome(home: string, system?: StartedSystem): Promise<void> {
  await system?.stop().catch(() => undefined);
  for (const left of await processesOf(home)) {
    try {
      process.kill(left.pid, 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
  await waitFor('the end of all processes', async () => (await processesOf(home)).length === 0, 10).catch(
    () => undefined,
  );
  await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
