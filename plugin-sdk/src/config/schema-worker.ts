import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson, sha256 } from '../digest.ts';
import type { Finding } from '../finding.ts';
import { parseConfigSchema } from './dialect.ts';
import { schemaFinding } from './dialect-values.ts';
import type { ConfigError } from './error-text.ts';
import type { Select, WorkerReply, WorkerRequest } from './worker-process.ts';

export type { ConfigError } from './error-text.ts';

export interface SchemaWorkerOptions {
  readonly workers?: number;
  readonly startMs?: number;
  readonly compileMs?: number;
  readonly validateMs?: number;
}

export const MAX_CONFIG_BYTES = 256 * 1024;
const REPLACE_AFTER = 500;
/** Where the processor time of the worker can be read, a busy machine does not count against the author, up to this factor. */
const PATIENCE = 10;

/** Arguments of node under which a worker reads nothing but its own code, and may not write, spawn, or start threads. */
export function workerPermissions(): string[] {
  const here = realpathSync(dirname(fileURLToPath(import.meta.url)));
  const require = createRequire(import.meta.url);
  const ajv = require.resolve('ajv/dist/2020.js');
  const entries = [ajv, require.resolve('re2js'), ...fromAjv(ajv)];
  const folders = [...new Set(entries.map(packageFolder)), here];
  const root = join(here, '..', '..');
  const allowed = [
    ...folders.map((folder) => join(folder, '*')),
    join(root, 'package.json'),
    join(root, 'src', 'package.json'),
  ];
  return ['--permission', ...allowed.map((path) => `--allow-fs-read=${path}`)];
}

function fromAjv(entry: string): string[] {
  const require = createRequire(entry);
  return ['fast-deep-equal', 'fast-uri', 'json-schema-traverse', 'require-from-string'].map((name) =>
    require.resolve(name),
  );
}

function packageFolder(entry: string): string {
  const match = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(realpathSync(entry));
  return match?.[1] ?? dirname(entry);
}

class Worker {
  readonly #child: ChildProcess;
  readonly #ready: Promise<WorkerReply | null>;
  #waiting: ((reply: WorkerReply | null) => void) | null = null;
  compiled = 0;
  alive = true;

  constructor(startMs: number) {
    const script = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
    this.#child = fork(script, [], {
      execArgv: [...workerPermissions(), '--max-old-space-size=128', '--no-warnings'],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (reply: WorkerReply) => this.#settle(reply));
    this.#child.on('error', () => this.#end());
    this.#child.on('exit', () => this.#end());
    // An idle worker does not keep its owner alive.
    this.#child.unref();
    this.#child.channel?.unref();
    this.#ready = this.#await(startMs);
  }

  ready(): Promise<WorkerReply | null> {
    return this.#ready;
  }

  /** Null when the worker died or ran out of time; it is then gone. */
  async ask(request: WorkerRequest, budgetMs: number): Promise<WorkerReply | null> {
    if (!this.alive) return null;
    const reply = this.#await(budgetMs);
    this.#child.send(request, (error) => {
      if (error !== null) this.#end();
    });
    return reply;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
    this.#end();
  }

  #end(): void {
    this.alive = false;
    this.#settle(null);
  }

  #settle(reply: WorkerReply | null): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(reply);
  }

  #await(budgetMs: number): Promise<WorkerReply | null> {
    const started = performance.now();
    const spentBefore = this.#processorMs();
    this.#child.ref();
    this.#child.channel?.ref();
    return new Promise((resolve) => {
      const check = (): void => {
        const wall = performance.now() - started;
        const spent = this.#processorMs();
        const patient = spent !== null && spentBefore !== null && spent - spentBefore < budgetMs;
        if (wall >= budgetMs && !(patient && wall < budgetMs * PATIENCE)) this.kill();
        else timer = setTimeout(check, Math.max(20, Math.min(budgetMs - wall, budgetMs / 4)));
      };
      let timer = setTimeout(check, budgetMs);
      this.#waiting = (reply) => {
        clearTimeout(timer);
        this.#child.unref();
        this.#child.channel?.unref();
        resolve(reply);
      };
    });
  }

  /** Linux counts in hundredths of a second; null elsewhere. */
  #processorMs(): number | null {
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10;
    } catch {
      return null;
    }
  }
}

/**
 * Compiles and runs authors' schemas in child processes that may do nothing else (security.md §4.3). Calls may run at the same time; each worker does one
 * thing at a time, the rest waits. No call throws for what a schema or config holds, only
 * when workers cannot start or are closed. Close it at the end.
 */
export class SchemaWorkerPool {
  readonly #options: Required<SchemaWorkerOptions>;
  readonly #idle: Worker[] = [];
  readonly #waiters: { resolve: (worker: Worker) => void; reject: (error: unknown) => void }[] = [];
  readonly #all = new Set<Worker>();
  #closed = false;

  constructor(options: SchemaWorkerOptions = {}) {
    this.#options = { workers: 2, startMs: 10_000, compileMs: 1_000, validateMs: 200, ...options };
  }

  /** The dialect first, then the compiler. */
  async checkSchema(schemaText: string): Promise<Finding[]> {
    const parsed = parseConfigSchema(schemaText);
    if ('findings' in parsed) return parsed.findings;
    const outcome = await this.#with((worker) => this.#compile(worker, schemaText, { whole: true }));
    return outcome === 'compiled' ? [] : [outcome];
  }

  /** Judges a resolved config for one task. The schema must have passed checkSchema. */
  async validateConfig(schemaText: string, task: string, config: unknown): Promise<{ errors: readonly ConfigError[] }> {
    return this.#validate(schemaText, { task }, config);
  }

  /** Judges export options: `pointer` is `#/$defs/<name>`, as in the manifest. */
  async validateOptions(
    schemaText: string,
    pointer: string,
    options: unknown,
  ): Promise<{ errors: readonly ConfigError[] }> {
    const definition = /^#\/\$defs\/([^/]+)$/.exec(pointer)?.[1];
    if (definition === undefined) {
      return { errors: [{ pointer: '', message: `${pointer} is no option schema.`, fix: 'Use #/$defs/<name>.' }] };
    }
    return this.#validate(schemaText, { definition }, options);
  }

  /** Ends all workers; calls still running end as if out of time. */
  close(): Promise<void> {
    this.#closed = true;
    for (const worker of this.#all) worker.kill();
    this.#all.clear();
    this.#idle.length = 0;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new Error('the schema workers are closed'));
    return Promise.resolve();
  }

  async #validate(text: string, part: Select, value: unknown): Promise<{ errors: readonly ConfigError[] }> {
    if (Buffer.byteLength(canonicalJson(value) ?? '') > MAX_CONFIG_BYTES) {
      const message = `The settings have more than ${MAX_CONFIG_BYTES} bytes.`;
      return { errors: [{ pointer: '', message, fix: 'Shorten lists and texts.' }] };
    }
    return this.#with(async (worker) => {
      const key = partKey(text, part);
      let reply = await worker.ask({ kind: 'validate', key, value }, this.#options.validateMs);
      if (reply?.kind === 'missing') {
        const outcome = await this.#compile(worker, text, part);
        if (outcome !== 'compiled') return { errors: [{ pointer: '', message: outcome.message, fix: outcome.fix }] };
        reply = await worker.ask({ kind: 'validate', key, value }, this.#options.validateMs);
      }
      if (reply?.kind === 'validated') return { errors: reply.errors };
      const message = 'The settings could not be checked in time.';
      return { errors: [{ pointer: '', message, fix: 'Shorten lists and texts; if it stays, tell the author.' }] };
    });
  }

  async #compile(worker: Worker, text: string, part: Select): Promise<'compiled' | Finding> {
    const request: WorkerRequest = { kind: 'compile', key: partKey(text, part), text, select: part };
    const reply = await worker.ask(request, this.#options.compileMs);
    worker.compiled++;
    if (reply?.kind === 'compiled') return 'compiled';
    if (reply?.kind === 'refused') {
      const fix = 'Correct the schema at this place.';
      return schemaFinding(
        'schema-invalid',
        reply.pointer,
        'The schema does not compile.',
        fix,
        reply.reason.slice(0, 300),
      );
    }
    const message = `The schema does not compile within ${this.#options.compileMs} ms and 128 MiB.`;
    return schemaFinding('schema-too-complex', '', message, 'Use fewer settings, branches and references.');
  }

  async #with<T>(work: (worker: Worker) => Promise<T>): Promise<T> {
    const worker = await this.#take();
    try {
      return await work(worker);
    } finally {
      this.#give(worker);
    }
  }

  async #take(): Promise<Worker> {
    if (this.#closed) throw new Error('the schema workers are closed');
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#all.size < this.#options.workers) return this.#start();
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  async #start(): Promise<Worker> {
    const worker = new Worker(this.#options.startMs);
    this.#all.add(worker);
    if ((await worker.ready()) !== null) return worker;
    // Ours to mend, never the author's fault.
    this.#all.delete(worker);
    throw new Error('a schema worker did not start: check that node may read its own code (config/worker-process.ts)');
  }

  #give(worker: Worker): void {
    if (worker.alive && worker.compiled < REPLACE_AFTER && !this.#closed) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) this.#idle.push(worker);
      else waiter.resolve(worker);
      return;
    }
    worker.kill();
    this.#all.delete(worker);
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return;
    if (this.#closed) waiter.reject(new Error('the schema workers are closed'));
    else this.#start().then(waiter.resolve, waiter.reject);
  }
}

function partKey(text: string, part: Select): string {
  return `${sha256(text)} ${canonicalJson(part)}`;
}
