import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { findProgram } from '../backends/process/process-command.ts';
import { defaultPython } from './pythons.ts';

let known: Promise<string | null> | null = null;

/**
 * The uv program itself, absolute; null when there is none. What a version manager puts in its place is a script that needs things a wall hides and
 * takes longer than uv.
 */
export function findUv(): Promise<string | null> {
  known ??= look();
  return known;
}

async function look(): Promise<string | null> {
  const onPath = await findProgram('uv', process.env['PATH'] ?? '');
  if (onPath !== null && !(await isScript(onPath))) return onPath;
  const python = (await defaultPython())?.path;
  if (python === undefined) return null;
  return promisify(execFile)(python, ['-c', 'import uv; print(uv.find_uv_bin())'], { timeout: 20_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}

async function isScript(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => null);
  if (handle === null) return true;
  try {
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.toString('latin1') === '#!';
  } finally {
    await handle.close();
  }
}
