import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { Problem } from '@trainyard/plugin-sdk';

export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root: then `postgres`, else `nobody`. Users are never created. Null: run as we are. */
export async function findServerUser(): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const fields = lines.find(([name]) => name === wanted);
    if (fields !== undefined) return { name: wanted, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Problem('unavailable', {
    detail: 'PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody.',
    fix: 'Start Trainyard as a normal user, or set DATABASE_URL.',
  });
}

/** Runs one PostgreSQL program to its end; a program that cannot be started answers code 127 with the reason. */
export function runAs(
  user: ServerUser | null,
  program: string,
  args: readonly string[],
  cwd = '/',
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: process.platform === 'win32' ? undefined : cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Messages are read by us, so they must be English; PG* variables of the caller must not leak in.
      env: { PATH: process.env['PATH'], TZ: 'UTC', LC_MESSAGES: 'C', SystemRoot: process.env['SystemRoot'] },
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', (error) => resolve({ code: 127, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
