import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { descendantsOf, shimOf } from './process-tree.ts';
import type { Observation } from './trials.ts';

const WATCHER = fileURLToPath(new URL('./watch-network.ts', import.meta.url));
const GO = '.go';
/** The trainer waits for this long until the watcher is there. */
const READY_SECONDS = 10;
/** Waits for a file, then becomes the trainer. */
const SHELL_WAIT = 'while [ ! -e "$0" ]; do sleep 0.05; done; exec "$@"';
const NODE_WAIT = `import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';
const [, , go, program, ...rest] = process.argv;
while (!existsSync(go)) await new Promise((resolve) => setTimeout(resolve, 50));
const child = spawn(program === 'node' ? process.execPath : program, rest, { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => (signal === null ? process.exit(code) : process.kill(process.pid, 'SIGKILL')));
`;

/** Watches the network of one trial. Behind a wall the trial has a network namespace of its own already; else it is given one. */
export class NetworkWatch {
  readonly #attempts: string[] = [];
  readonly #jobFolder: string;
  #unavailable: string | null = null;
  #watcher: ChildProcess | null = null;

  constructor(jobFolder: string) {
    this.#jobFolder = jobFolder;
  }

  /** The entrypoint with a wait in front. `python`: the interpreter that the word python stands for. */
  async entrypoint(original: readonly string[], walled: boolean, python: string | null): Promise<readonly string[]> {
    const [first = '', ...rest] = original;
    const go = join(this.#jobFolder, GO);
    const unshare = walled ? [] : this.#unshare();
    if (first === 'node') {
      // Node is seen behind a wall only where it is the first word.
      const wait = join(this.#jobFolder, 'wait.mjs');
      await writeFile(wait, NODE_WAIT);
      return walled ? ['node', wait, go, ...original] : [...unshare, process.execPath, wait, go, ...original];
    }
    const program = first === 'python' || first === 'python3' ? (python ?? 'python3') : first;
    return [...unshare, 'sh', '-c', SHELL_WAIT, go, program, ...rest];
  }

  #unshare(): string[] {
    const ways = [['-n'], ['-n', '-r']];
    const way = ways.find((flags) => spawnSync('unshare', [...flags, 'true'], { stdio: 'ignore' }).status === 0);
    if (way !== undefined) return ['unshare', ...way, '--'];
    this.#unavailable = 'This machine allows no network namespace here.';
    return [];
  }

  started(execution: string | null): void {
    void this.#begin(execution)
      .catch((error: unknown) => {
        this.#unavailable ??= error instanceof Error ? error.message : String(error);
      })
      .finally(() => void writeFile(join(this.#jobFolder, GO), '').catch(() => undefined));
  }

  async #begin(execution: string | null): Promise<void> {
    const shim = shimOf(execution);
    if (this.#unavailable !== null || shim === null) throw new Error('its processes cannot be seen on this machine');
    const pid = await this.#walledPid(shim);
    for (const way of [[], ['--user', '--preserve-credentials']]) {
      if (await this.#watch(['--target', String(pid), '--net', ...way])) return;
    }
  }

  async #walledPid(shim: number): Promise<number> {
    const own = await readlink('/proc/self/ns/net');
    for (const end = performance.now() + READY_SECONDS * 1000; performance.now() < end; await sleep(20)) {
      for (const pid of await descendantsOf(shim)) {
        const theirs = await readlink(`/proc/${pid}/ns/net`).catch(() => own);
        if (theirs !== own) return pid;
      }
    }
    throw new Error('it has no network namespace of its own');
  }

  #watch(target: readonly string[]): Promise<boolean> {
    const watcher = spawn('nsenter', [...target, process.execPath, WATCHER], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#watcher = watcher;
    return new Promise((resolve) => {
      watcher.on('error', () => resolve(false));
      watcher.on('close', () => resolve(false));
      createInterface({ input: watcher.stdout }).on('line', (line) => {
        const said: unknown = JSON.parse(line);
        if (typeof said !== 'object' || said === null) return;
        if ('ready' in said) {
          this.#unavailable = null;
          resolve(true);
        }
        if ('unavailable' in said) this.#unavailable = String(said.unavailable);
        if ('saw' in said) this.#attempts.push(String(said.saw));
      });
    });
  }

  async end(): Promise<Observation> {
    const watcher = this.#watcher;
    if (watcher !== null && watcher.exitCode === null && watcher.signalCode === null) {
      const closed = new Promise((resolve) => watcher.once('close', resolve));
      watcher.stdin?.end();
      await Promise.race([closed, sleep(2000)]);
      watcher.kill('SIGKILL');
    }
    const nobody = watcher === null ? 'it ended before anybody watched' : null;
    return { attempts: this.#attempts, unavailable: this.#unavailable ?? nobody };
  }
}
