import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Verdaccio writes a tarball first and its version second. Killed in between, it answers 409 to that version for ever.
 * Such a file belongs to no version, nobody could see it: removed before the start, the hub simply writes it again.
 */
export async function removeUnnamedTarballs(storage: string): Promise<string[]> {
  const removed: string[] = [];
  for (const folder of await packageFolders(storage)) {
    const named = await namedTarballs(folder);
    if (named === null) continue;
    for (const file of await readdir(folder)) {
      const unfinished = file.endsWith('.tgz') ? !named.has(file) : file.includes('.tgz.tmp');
      if (!unfinished) continue;
      await rm(join(folder, file), { force: true });
      removed.push(file);
    }
  }
  return removed;
}

async function packageFolders(storage: string): Promise<string[]> {
  const folders: string[] = [];
  for (const entry of await readdir(storage, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(storage, entry.name);
    if (!entry.name.startsWith('@')) {
      folders.push(path);
      continue;
    }
    for (const scoped of await readdir(path, { withFileTypes: true })) {
      if (scoped.isDirectory()) folders.push(join(path, scoped.name));
    }
  }
  return folders;
}

/** Null when the manifest cannot be read: then nothing can be said about the files beside it. */
async function namedTarballs(folder: string): Promise<Set<string> | null> {
  const names = new Set<string>();
  const manifest = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '{}');
  try {
    for (const version of versionsOf(JSON.parse(manifest))) {
      const url = tarballOf(version);
      if (url !== null) names.add(url.slice(url.lastIndexOf('/') + 1));
    }
  } catch {
    return null;
  }
  return names;
}

function versionsOf(manifest: unknown): unknown[] {
  if (typeof manifest !== 'object' || manifest === null || !('versions' in manifest)) return [];
  const { versions } = manifest;
  return typeof versions === 'object' && versions !== null ? Object.values(versions) : [];
}

function tarballOf(version: unknown): string | null {
  if (typeof version !== 'object' || version === null || !('dist' in version)) return null;
  const { dist } = version;
  if (typeof dist !== 'object' || dist === null || !('tarball' in dist)) return null;
  return typeof dist.tarball === 'string' ? dist.tarball : null;
}
