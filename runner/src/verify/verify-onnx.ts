import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../backends/process/process-command.ts';
import { listProcesses, residentBytes, treeOf } from '../backends/process/process-tree.ts';
import type { VerifiedOutput } from './onnx-parity.ts';

export type { VerifiedOutput } from './onnx-parity.ts';

export interface VerifyOnnxRequest {
  /** The `output/export` folder of an attempt. */
  readonly exportFolder: string;
  /** Instead of the contract's tolerances. */
  readonly tolerance?: number;
  /** Default 120. */
  readonly maxSeconds?: number;
  /** Default 4 GiB. */
  readonly memoryBytes?: number;
  readonly signal?: AbortSignal;
}

export interface OnnxVerification {
  /** False: nobody could check here (no runtime); the claim stays as it was. */
  readonly checked: boolean;
  readonly passed: boolean;
  readonly maxAbs: number | null;
  readonly meanAbs: number | null;
  readonly inputs: number;
  readonly outputs: readonly VerifiedOutput[];
  /** Empty when there is none. */
  readonly runtime: string;
  /** One sentence when it did not pass. */
  readonly reason?: string;
}

const SAMPLE_MS = 100;
const MOST_ANSWER_BYTES = 1_000_000;

/**
 * Runs an exported ONNX model on its own self-test and compares with what the checkpoint answered (contract.md §8.6, §8.7). The model is
 * somebody else's file: it is only ever opened in a child process with limits of time and memory. Never throws for anything the export holds.
 */
export async function verifyOnnx(request: VerifyOnnxRequest): Promise<OnnxVerification> {
  const home = await mkdtemp(join(tmpdir(), 'trainyard-verify-'));
  try {
    return await inChild(request, home);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function inChild(request: VerifyOnnxRequest, home: string): Promise<OnnxVerification> {
  request.signal?.throwIfAborted();
  const setpriv = await findProgram('setpriv', process.env['PATH'] ?? '');
  const script = fileURLToPath(new URL('./onnx-child.ts', import.meta.url));
  const tolerance = request.tolerance === undefined ? [] : [String(request.tolerance)];
  const node = [
    process.execPath,
    '--no-warnings',
    '--max-old-space-size=1024',
    script,
    request.exportFolder,
    ...tolerance,
  ];
  const [program = '', ...args] =
    setpriv === null ? node : [setpriv, '--no-new-privs', '--pdeathsig', 'KILL', '--', ...node];
  const child = spawn(program, args, {
    cwd: home,
    env: {
      PATH: '/usr/bin:/bin',
      HOME: home,
      TMPDIR: home,
      LANG: 'C.UTF-8',
      OMP_NUM_THREADS: '2',
      OMP_WAIT_POLICY: 'PASSIVE',
    },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let reason: string | null = null;
  const end = (why: string): void => {
    reason ??= why;
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // already gone
    }
  };
  const maxSeconds = request.maxSeconds ?? 120;
  const memoryBytes = request.memoryBytes ?? 4 * 2 ** 30;
  const abort = (): void => end('aborted');
  request.signal?.addEventListener('abort', abort, { once: true });
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
    child.on('close', (code, signal) => resolve(signal ?? `exit ${code}`));
  });
  clearTimeout(timer);
  clearInterval(sampler);
  request.signal?.removeEventListener('abort', abort);
  request.signal?.throwIfAborted();
  if (reason !== null) return failed(reason);
  const last = complaint.trim().split('\n').at(-1) ?? '';
  return parseAnswer(answer) ?? failed(`The model made the verifier stop (${ended}${last === '' ? '' : `: ${last}`}).`);
}

async function memoryOf(pid: number): Promise<number> {
  return pid === 0 ? 0 : residentBytes(treeOf(pid, await listProcesses()));
}

function failed(reason: string): OnnxVerification {
  return { checked: true, passed: false, maxAbs: null, meanAbs: null, inputs: 0, outputs: [], runtime: '', reason };
}

/** The child is ours, but it has read hostile bytes: its answer is taken apart field by field. */
function parseAnswer(text: string): OnnxVerification | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const reason = typeof value['reason'] === 'string' ? value['reason'].slice(0, 1000) : undefined;
  const passed = value['passed'] === true && reason === undefined;
  const outputs = Array.isArray(value['outputs']) ? value['outputs'].filter(isRecord).map(outputOf) : [];
  return {
    checked: value['checked'] === true,
    passed,
    maxAbs: numberOf(value['maxAbs']),
    meanAbs: numberOf(value['meanAbs']),
    inputs: numberOf(value['inputs']) ?? 0,
    outputs,
    runtime: typeof value['runtime'] === 'string' ? value['runtime'] : '',
    ...(reason === undefined ? {} : { reason }),
  };
}

function outputOf(value: Record<string, unknown>): VerifiedOutput {
  return {
    name: String(value['name']),
    maxAbs: numberOf(value['maxAbs']) ?? Infinity,
    meanAbs: numberOf(value['meanAbs']) ?? Infinity,
    tolerance: numberOf(value['tolerance']),
  };
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
