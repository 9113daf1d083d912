import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

export interface ChildSpec {
  readonly name: string;
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Children of the supervisor. One that dies is started again with growing pauses; `stop` ends all of them, gently first. Their identities are on disk, so
 * that the next start can end what a killed supervisor left behind.
 */
export interface Children {
  /** Resolves once the process was spawned. */
  start(spec: ChildSpec): Promise<void>;
  stop(): Promise<void>;
}

const GRACE_MS = 10_000;
const PRELOAD = new URL('./end-with-parent.ts', import.meta.url).href;

/** Ends processes of a supervisor that was killed. The trainers it ran are not among them: the runner takes them up again. */
export async function endLeftovers(record: string): Promise<number> {
  const text = await readFile(record, 'utf8').catch(() => '[]');
  const left: ProcessIdentity[] = [];
  for (const process of JSON.parse(text) as ProcessIdentity[]) if (await isAlive(process)) left.push(process);
  for (const item of left) process.kill(item.pid, 'SIGTERM');
  const until = Date.now() + GRACE_MS;
  for (const item of left) {
    while ((await isAlive(item)) && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    if (await isAlive(item)) process.kill(item.pid, 'SIGKILL');
  }
  return left.length;
}

export function createChildren(options: { record: string; logs: string; say: (line: string) => void }): Children {
  const running = new Map<string, ChildProcess>();
  let stopping = false;
  let writing: Promise<void> = Promise.resolve();

  function remember(): void {
    writing = writing.then(async () => {
      const pids = [...running.values()].flatMap((child) => (child.pid === undefined ? [] : [child.pid]));
      const identities = await Promise.all(pids.map(identify));
      await writeFile(`${options.record}.part`, JSON.stringify(identities));
      await rename(`${options.record}.part`, options.record);
    });
    writing.catch(() => undefined);
  }

  async function launch(spec: ChildSpec, failures: number): Promise<void> {
    await mkdir(options.logs, { recursive: true });
    const log = createWriteStream(join(options.logs, `${spec.name}.log`), { flags: 'a' });
    const started = Date.now();
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', PRELOAD, spec.script], {
      env: spec.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    running.set(spec.name, child);
    remember();
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    child.once('exit', (code, signal) => {
      running.delete(spec.name);
      remember();
      log.end();
      if (stopping) return;
      const failed = Date.now() - started > 60_000 ? 0 : failures + 1;
      const pause = Math.min(30_000, 500 * 2 ** failed);
      options.say(
        `The ${spec.name} ended (${signal ?? `code ${code}`}); starting it again. Its log: ${join(options.logs, `${spec.name}.log`)}`,
      );
      setTimeout(() => {
        if (!stopping) void launch(spec, failed);
      }, pause);
    });
  }

  return {
    start: (spec) => launch(spec, 0),
    async stop() {
      stopping = true;
      const children = [...running.values()];
      for (const child of children) child.kill('SIGTERM');
      await Promise.all(
        children.map(
          (child) =>
            new Promise<void>((resolve) => {
              if (child.exitCode !== null || child.signalCode !== null) return resolve();
              const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
              child.once('exit', () => {
                clearTimeout(timer);
                resolve();
              });
            }),
        ),
      );
      await writing.catch(() => undefined);
    },
  };
}
