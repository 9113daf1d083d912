import { spawn } from 'node:child_process';
import { listProcesses, residentBytes, treeOf } from '../backends/process/process-tree.ts';
import type { CheckLimits } from './export-check.ts';

const SAMPLE_MS = 100;
const MOST_ANSWER_BYTES = 4_000_000;

export interface ChildRun {
  readonly argv: readonly string[];
  /** Folder of its own: working directory, HOME and TMPDIR. */
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: Required<Omit<CheckLimits, 'signal'>>;
  readonly signal: AbortSignal | undefined;
}

export type ChildAnswer =
  /** What it wrote to descriptor 3, and how it ended: `exit 0`, `SIGSEGV`, with its last words. */
  | { readonly cut: null; readonly answer: string; readonly ended: string }
  /** It was ended for this reason, a sentence. */
  | { readonly cut: string };

/** A process that opens somebody else's model: nothing of our environment, limits of time, memory and answer, no child left behind. */
export async function runLimited({ argv, home, environment, limits, signal }: ChildRun): Promise<ChildAnswer> {
  signal?.throwIfAborted();
  const { maxSeconds, memoryBytes } = limits;
  const [program = '', ...args] = argv;
  const child = spawn(program, args, {
    cwd: home,
    env: { PATH: '/usr/bin:/bin', HOME: home, TMPDIR: home, LANG: 'C.UTF-8', ...environment },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let cut: string | null = null;
  const end = (why: string): void => {
    cut ??= why;
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // already gone
    }
  };
  const abort = (): void => end('aborted');
  signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => end(`Verifying took longer than ${maxSeconds} seconds.`), maxSeconds * 1000);
  const sampler = setInterval(() => {
    void memoryOf(child.pid ?? 0).then((bytes) => {
      if (bytes > memoryBytes) end(`Verifying needed more than ${Math.round(memoryBytes / 2 ** 20)} MiB of memory.`);
    });
  }, SAMPLE_MS);
  let answer = '';
  let complaint = '';
  child.stdio[3]?.on('data', (bytes: Buffer) => {
    answer += bytes.toString('utf8');
    if (answer.length > MOST_ANSWER_BYTES) end('The verifier answered too much.');
  });
  child.stderr?.on('data', (bytes: Buffer) => {
    complaint = (complaint + bytes.toString('utf8')).slice(-2000);
  });
  const ended = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, killed) => resolve(killed ?? `exit ${code}`));
  });
  clearTimeout(timer);
  clearInterval(sampler);
  signal?.removeEventListener('abort', abort);
  signal?.throwIfAborted();
  if (cut !== null) return { cut };
  const last = complaint.trim().split('\n').at(-1) ?? '';
  return { cut: null, answer, ended: `${ended}${last === '' ? '' : `: ${last}`}` };
}

async function memoryOf(pid: number): Promise<number> {
  return pid === 0 ? 0 : residentBytes(treeOf(pid, await listProcesses()));
}
