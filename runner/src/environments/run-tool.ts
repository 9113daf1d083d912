import { spawn } from 'node:child_process';
import type { Wall } from '../backends/process/wall-command.ts';
import { findProgram } from '../backends/process/process-command.ts';

import { walledTool, type WalledTool } from './walled-tool.ts';

const KEPT_LINES = 50;
/** What an installer may know of the runner's environment: where to find programs, how to reach the index. No token of ours. */
const PASSED_ON =
  /^(path|home|lang|tmpdir|https?_proxy|no_proxy|all_proxy|ssl_cert_file|ssl_cert_dir|requests_ca_bundle|uv_.*|pip_.*)$/i;

export interface ToolRun {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Behind a wall: what it sees besides. Absent: no wall. */
  readonly walled?: { readonly wall: Wall } & Omit<WalledTool, 'argv' | 'cwd' | 'environment'>;
  readonly onStart?: (pid: number) => void;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal;
}

let tie: Promise<readonly string[]> | null = null;
/** An installer must not go on in a folder that the next runner builds anew: it dies with this process, where the system can do that. */
function tieToUs(): Promise<readonly string[]> {
  tie ??= findProgram('setpriv', process.env['PATH'] ?? '').then((setpriv) =>
    setpriv === null ? [] : [setpriv, '--pdeathsig', 'KILL', '--'],
  );
  return tie;
}

/** Runs an installer without a shell; answers whether it succeeded, with its last lines. Ends it with its children when the signal fires. */
export async function runTool(run: ToolRun): Promise<{ ok: boolean; lines: readonly string[] }> {
  run.signal?.throwIfAborted();
  const passed = Object.entries(process.env).flatMap(([name, value]) =>
    value !== undefined && PASSED_ON.test(name) ? [[name, value] as const] : [],
  );
  const environment = { ...Object.fromEntries(passed), ...run.environment };
  const { walled } = run;
  const argv = walled === undefined ? run.argv : await walledTool(walled.wall, { ...walled, ...run, environment });
  const [program = '', ...args] = [...(await tieToUs()), ...argv];
  const child = spawn(program, args, {
    cwd: run.cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that an abort reaches builds it started
  });
  if (child.pid !== undefined) run.onStart?.(child.pid);
  const abort = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // already gone
    }
  };
  run.signal?.addEventListener('abort', abort, { once: true });
  process.once('exit', abort);
  const lines: string[] = [];
  const take = (line: string): void => {
    if (line.trim() === '') return;
    lines.push(line.slice(0, 2000));
    if (lines.length > KEPT_LINES) lines.shift();
    run.onLine(line);
  };
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const parts = (rest + text).split(/\r\n|\n|\r/);
      rest = parts.pop() ?? '';
      parts.forEach(take);
    });
    stream.on('end', () => take(rest));
  }
  const ok = await new Promise<boolean>((resolve) => {
    child.on('error', (error) => {
      take(`${program}: ${error.message}`);
      resolve(false);
    });
    child.on('close', (code) => resolve(code === 0));
  });
  run.signal?.removeEventListener('abort', abort);
  process.removeListener('exit', abort);
  run.signal?.throwIfAborted();
  return { ok, lines };
}
