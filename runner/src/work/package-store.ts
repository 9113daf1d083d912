import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { newId, type Digest, type Finding } from '@trainyard/plugin-sdk';
import { extractPackage, PACKAGE_LIMITS } from '@trainyard/plugin-sdk/archive';
import { whileCut } from './cut-download.ts';

export type Download = (signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;

/** The package is not what it should be; asking again cannot help. */
export class BadPackage extends Error {
  readonly findings: readonly Finding[];
  constructor(message: string, findings: readonly Finding[] = []) {
    super(message);
    this.findings = findings;
  }
}

/**
 * Packages by digest, downloaded and extracted once. `ensure` answers the folder with the contents of `package/`; calls for one digest at the same
 * time share the work. A folder appears by rename, so it is always whole.
 */
export interface PackageStore {
  ensure(digest: Digest | string, download: Download, signal: AbortSignal): Promise<string>;
}

export function openPackageStore(folder: string): PackageStore {
  const going = new Map<string, Promise<string>>();
  return {
    ensure(digest, download, signal) {
      const name = digest.replace('sha256:', '');
      const known = going.get(name);
      if (known !== undefined) return known;
      const made = whileCut(() => fetchPackage(folder, name, download, signal), signal).finally(() =>
        going.delete(name),
      );
      going.set(name, made);
      return made;
    },
  };
}

async function fetchPackage(folder: string, name: string, download: Download, signal: AbortSignal): Promise<string> {
  const target = join(folder, name);
  if (await isThere(target)) return target;
  await mkdir(folder, { recursive: true });
  const scratch = join(folder, `.part-${newId()}`);
  await mkdir(scratch);
  try {
    const tgz = join(scratch, 'package.tgz');
    const hash = createHash('sha256');
    let bytes = 0;
    await pipeline(
      await download(signal),
      async function* (source: AsyncIterable<Uint8Array>) {
        for await (const chunk of source) {
          bytes += chunk.length;
          if (bytes > PACKAGE_LIMITS.packedBytes) throw new BadPackage('The package is larger than allowed.');
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(tgz),
      { signal },
    );
    const digest = hash.digest('hex');
    if (digest !== name) throw new BadPackage(`The package has digest sha256:${digest} instead of sha256:${name}.`);
    const extracted = await extractPackage(tgz, join(scratch, 'package'));
    if ('findings' in extracted) {
      throw new BadPackage(extracted.findings[0]?.message ?? 'The package cannot be extracted.', extracted.findings);
    }
    await rename(join(scratch, 'package'), target).catch(async (error: unknown) => {
      if (!(await isThere(target))) throw error;
    });
    return target;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
