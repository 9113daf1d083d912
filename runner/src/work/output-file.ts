import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { directoryDigest, type FileEntry } from '@trainyard/plugin-sdk';
import { pathProblem } from '@trainyard/plugin-sdk/archive';

/** A file or folder that a trainer left is not taken; the message is a sentence for people. */
export class RefusedOutput extends Error {}

/** Nothing lies there (any more). */
export class MissingOutput extends RefusedOutput {}

const PATH_LIMITS = { pathBytes: 512, pathDepth: 12 };
const MOST_FILES = 1000;

/** Relative, `/`-separated, without tricks; `inside` is the folder it must begin with. */
export function outputPathProblem(path: string, inside: readonly string[]): string | null {
  const problem = pathProblem(path, PATH_LIMITS);
  if (problem !== null) return problem;
  if (!inside.some((folder) => path.startsWith(`${folder}/`))) return `is not inside ${inside.join('/ or ')}/`;
  return null;
}

/**
 * Opens one file that an untrusted program left: no link is followed, nothing that blocks, exactly one name, and after opening it is proven to lie
 * where it was asked for. Size and digest come from the descriptor only.
 */
export async function openOutput(root: string, path: string): Promise<FileHandle> {
  const full = join(await realpath(root), ...path.split('/'));
  const folder = await realpath(dirname(full)).catch(() => null);
  if (folder === null) throw new MissingOutput(`${path} is not there.`);
  if (folder !== dirname(full)) throw new RefusedOutput(`${path} lies behind a link and was not taken.`);
  let file: FileHandle;
  try {
    file = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT') throw new MissingOutput(`${path} is not there.`);
    if (code === 'ELOOP') throw new RefusedOutput(`${path} is a link and was not taken.`);
    throw new RefusedOutput(`${path} could not be opened (${String(code)}).`);
  }
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw new RefusedOutput(`${path} is not a regular file and was not taken.`);
    if (facts.nlink !== 1) throw new RefusedOutput(`${path} has a second name elsewhere and was not taken.`);
    const real = process.platform === 'linux' ? await readlink(`/proc/self/fd/${file.fd}`) : await realpath(full);
    if (real !== full) throw new RefusedOutput(`${path} was moved while it was opened and was not taken.`);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Digest of what the descriptor gives, up to a limit. */
export async function digestOutput(file: FileHandle, most: number): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
    if (bytesRead === 0) break;
    bytes += bytesRead;
    if (bytes > most) throw new RefusedOutput(`It is larger than ${most} bytes.`);
    hash.update(buffer.subarray(0, bytesRead));
  }
  return { bytes, sha256: hash.digest('hex') };
}

export async function* readOutput(file: FileHandle, bytes: number): AsyncIterable<Uint8Array> {
  let position = 0;
  while (position < bytes) {
    const buffer = Buffer.allocUnsafe(Math.min(256 * 1024, bytes - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new RefusedOutput('It became shorter while it was read.');
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Files of an output file or folder, with digests; paths are relative to the folder; a single file is named by its whole path. */
export interface OutputTree {
  readonly sha256: string;
  readonly files: readonly FileEntry[];
  /** Path of each file relative to the root. */
  readonly where: ReadonlyMap<string, string>;
}

export async function readOutputTree(root: string, path: string, mostBytes: number): Promise<OutputTree> {
  const single = await isFolder(root, path).then((folder) => !folder);
  const paths = single ? [path] : await listFolder(root, path);
  if (paths.length === 0) throw new RefusedOutput(`${path} is empty.`);
  const files: FileEntry[] = [];
  const where = new Map<string, string>();
  let left = mostBytes;
  for (const item of paths) {
    const file = await openOutput(root, item);
    try {
      const entry = await digestOutput(file, left);
      left -= entry.bytes;
      const name = single ? item : item.slice(path.length + 1);
      files.push({ path: name, ...entry });
      where.set(entry.sha256, item);
    } finally {
      await file.close();
    }
  }
  const sha256 = single ? (files[0]?.sha256 ?? '') : directoryDigest(files);
  return { sha256, files, where };
}

async function isFolder(root: string, path: string): Promise<boolean> {
  const full = join(await realpath(root), ...path.split('/'));
  try {
    const folder = await open(
      full,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_DIRECTORY,
    );
    await folder.close();
    return true;
  } catch {
    return false;
  }
}

async function listFolder(root: string, path: string): Promise<string[]> {
  const full = join(await realpath(root), ...path.split('/'));
  if ((await realpath(full)) !== full) throw new RefusedOutput(`${path} lies behind a link and was not taken.`);
  const found: string[] = [];
  for (const entry of await readdir(full, { withFileTypes: true, recursive: true })) {
    const relative = join(entry.parentPath, entry.name)
      .slice(full.length + 1)
      .split(sep)
      .join('/');
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) throw new RefusedOutput(`${path}/${relative} is not a regular file and was not taken.`);
    const problem = pathProblem(relative, PATH_LIMITS);
    if (problem !== null) throw new RefusedOutput(`${path}/${relative} ${problem} and was not taken.`);
    found.push(`${path}/${relative}`);
    if (found.length > MOST_FILES) throw new RefusedOutput(`${path} has more than ${MOST_FILES} files.`);
  }
  return found.sort();
}
