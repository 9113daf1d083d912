import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClaimedAttempt } from '@trainyard/plugin-sdk/api';

/** What must survive a restart of the agent, one file per attempt, written before anything outside is started. */
export interface AttemptRecord {
  readonly claimed: ClaimedAttempt;
  /** Execution that began it, once known. */
  readonly execution: string | null;
}

export interface AttemptRecords {
  list(): Promise<readonly AttemptRecord[]>;
  /** Atomic: a kill leaves the old or the new record. */
  write(record: AttemptRecord): Promise<void>;
  remove(attempt: string): Promise<void>;
}

function parseRecord(text: string): AttemptRecord | null {
  const value: unknown = JSON.parse(text);
  if (value === null || typeof value !== 'object' || !('claimed' in value) || !('execution' in value)) return null;
  return value as AttemptRecord;
}

function fileOf(folder: string, attempt: string): string {
  return join(folder, `${encodeURIComponent(attempt)}.json`);
}

/** Null when it is gone: attempts end while the list is read. */
async function readWhileThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

export function openAttemptRecords(folder: string): AttemptRecords {
  return {
    async list() {
      await mkdir(folder, { recursive: true });
      const records: AttemptRecord[] = [];
      for (const name of await readdir(folder)) {
        if (!name.endsWith('.json')) continue;
        const text = await readWhileThere(join(folder, name));
        const record = text === null ? null : parseRecord(text);
        if (record !== null) records.push(record);
      }
      return records;
    },
    async write(record) {
      await mkdir(folder, { recursive: true });
      const file = fileOf(folder, record.claimed.id);
      await writeFile(`${file}.part`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${file}.part`, file);
    },
    async remove(attempt) {
      await rm(fileOf(folder, attempt), { force: true });
    },
  };
}
