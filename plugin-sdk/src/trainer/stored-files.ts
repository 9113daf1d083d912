import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Files by digest, and writes that survive a power cut. */

export interface FileDigest {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export function sha256Hex(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Regular files below a folder, `/`-separated, sorted by path. */
export function filesBelow(folder: string, prefix = ''): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(folder, prefix), { withFileTypes: true })) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) found.push(...filesBelow(folder, path));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

export function digestFolder(folder: string): { files: FileDigest[]; bytes: number; sha256: string } {
  const files = filesBelow(folder).map((path) => {
    const bytes = readFileSync(join(folder, path));
    return { path, bytes: bytes.length, sha256: sha256Hex(bytes) };
  });
  const lines = files
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map((file) => `${file.sha256}  ${file.bytes}  ${file.path}\n`);
  return { files, bytes: files.reduce((sum, file) => sum + file.bytes, 0), sha256: sha256Hex(lines.join('')) };
}

/** Digest of a file, or of a folder as the contract hashes one; null when nothing is there. */
export function digestOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  return found.isDirectory() ? digestFolder(path).sha256 : sha256Hex(readFileSync(path));
}

export function writeSynced(path: string, bytes: string | Uint8Array): void {
  const data = Buffer.from(bytes);
  const file = openSync(path, 'w', 0o644);
  try {
    let done = 0;
    while (done < data.length) done += writeSync(file, data, done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes renames inside the folder durable. Not every platform can open a folder; then the rename itself has to do. */
export function syncFolder(folder: string): void {
  let file: number;
  try {
    file = openSync(folder, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(file);
  } catch {
    // Windows refuses to sync a folder.
  } finally {
    closeSync(file);
  }
}

/** Readers see the old file or the new one, never half of it. */
export function replaceFile(path: string, bytes: string | Uint8Array): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  const waiting = `${path}.tmp`;
  writeSynced(waiting, bytes);
  renameSync(waiting, path);
  syncFolder(folder);
}
