import { openOutput } from '@trainyard/runner/work';
import type { Trial } from './trials.ts';

const MOST_BYTES = 64 * 1024 * 1024;

/** Text of a file that a trial left; null when it is missing, unsafe or too large. */
export async function readOutputText(trial: Pick<Trial, 'jobFolder'>, path: string): Promise<string | null> {
  const file = await openOutput(trial.jobFolder, path).catch(() => null);
  if (file === null) return null;
  try {
    return (await file.stat()).size > MOST_BYTES ? null : await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

export async function readJsonOutput(
  trial: Pick<Trial, 'jobFolder'>,
  path: string,
): Promise<Record<string, unknown> | null> {
  return asRecord(parseJson(await readOutputText(trial, path)));
}

export function parseJson(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}

export function asRecord(value: unknown): Record<string, unknown> | null {
  return isRecord(value) ? value : null;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
