import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Subject } from '../trial/subject.ts';

/** What a trainer may read and not write: its package and its environment, as size and time of every file. */
export type FolderSnapshot = ReadonlyMap<string, string>;

type Readable = Pick<Subject, 'folder' | 'environment'>;

const MOST_FILES = 200_000;

export async function snapshotOf(subject: Readable): Promise<FolderSnapshot> {
  const found = new Map<string, string>();
  const { python } = subject.environment ?? {};
  await walk(subject.folder, 'package', found);
  // …/bin/python → the environment.
  if (python !== undefined) await walk(resolve(python, '..', '..'), 'environment', found);
  return found;
}

async function walk(folder: string, shown: string, found: Map<string, string>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (found.size > MOST_FILES) return;
    const path = join(folder, entry.name);
    const name = `${shown}/${entry.name}`;
    // Compiled files of an environment, and the mark that they are done, are written by whoever builds it, also while a trainer runs already.
    if (shown.startsWith('environment') && (entry.name === '__pycache__' || entry.name === '.compiled')) continue;
    if (entry.isDirectory()) await walk(path, name, found);
    else if (entry.isFile()) {
      const info = await stat(path).catch(() => null);
      if (info !== null) found.set(name, `${info.size} ${info.mtimeMs}`);
    }
  }
}

/** Files that are new, gone or different, by the name of the folder they are in. */
export async function changedFiles(subject: Readable, before: FolderSnapshot): Promise<string[]> {
  const after = await snapshotOf(subject);
  const changed = [...after].filter(([path, state]) => before.get(path) !== state).map(([path]) => path);
  const gone = [...before.keys()].filter((path) => !after.has(path));
  return [...changed, ...gone].sort();
}
