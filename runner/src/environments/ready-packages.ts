import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** More are refused by the hub (`claimJobs.ready`). */
const MOST = 1000;
const COMPLETE = '.complete';

/** Written last, so a folder without it is half of something. Names the package it was built for. */
export async function markComplete(folder: string, packageDigest: string): Promise<void> {
  await writeFile(join(folder, COMPLETE), `${packageDigest}\n`, { flush: true });
}

export async function isComplete(folder: string): Promise<boolean> {
  return (await builtFor(folder)) !== null;
}

/**
 * Notes that an environment serves this package. One empty file per package, its name is the mark: written at once or not at all, by as many as like.
 * Beside the environments, not in them: a setup of a trainer's own may write there.
 */
export async function markReady(root: string, folder: string, packageDigest: string): Promise<void> {
  const marks = join(root, 'env-packages', basename(folder));
  await mkdir(marks, { recursive: true });
  await writeFile(join(marks, encodeURIComponent(packageDigest)), '');
}

/** Digests of the packages whose environment is ready below a root; at most 1000. */
export async function readyPackages(root: string): Promise<readonly string[]> {
  const keys = await readdir(join(root, 'envs')).catch(() => []);
  const found = await Promise.all(
    keys.map(async (key) => {
      const first = await builtFor(join(root, 'envs', key));
      if (first === null) return [];
      const more = await readdir(join(root, 'env-packages', key)).catch(() => []);
      return [first, ...more.map((name) => decodeURIComponent(name))];
    }),
  );
  return [...new Set(found.flat())].slice(0, MOST);
}

async function builtFor(folder: string): Promise<string | null> {
  const mark = await readFile(join(folder, COMPLETE), 'utf8').catch(() => null);
  return mark === null ? null : (mark.split('\n')[0] ?? '');
}
