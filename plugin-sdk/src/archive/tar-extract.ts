import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Finding } from '../finding.ts';
import { PACKAGE_LIMITS, type ArchiveLimits } from './limits.ts';
import { indexPackage, type TarEntry, type TarIndex } from './tar-index.ts';
import { readTarGz } from './tar-reader.ts';

const PROFILE = { limits: PACKAGE_LIMITS, root: 'package', allowWorldWritable: false };

/**
 * Indexes first and refuses on findings; only then writes, every file newly made (an existing one is an error), under `targetDir`, which should be
 * empty. For runner, validator and CLI: the hub never extracts. Not safe to run twice into one folder.
 */
export async function extractPackage(
  tgzPath: string,
  targetDir: string,
  limits: ArchiveLimits = PACKAGE_LIMITS,
): Promise<{ index: TarIndex } | { findings: readonly Finding[] }> {
  const indexed = await indexPackage(createReadStream(tgzPath), limits);
  if ('findings' in indexed) return indexed;
  await mkdir(targetDir, { recursive: true });
  const source = createReadStream(tgzPath);
  try {
    for await (const item of readTarGz(source[Symbol.asyncIterator](), { ...PROFILE, limits })) {
      const path = join(targetDir, ...item.path.split('/'));
      if (item.kind === 'directory') {
        await mkdir(path, { recursive: true });
        continue;
      }
      await mkdir(dirname(path), { recursive: true });
      const file = await open(path, 'wx', (item.mode & 0o100) === 0 ? 0o644 : 0o755);
      try {
        for await (const part of item.data) await file.write(part);
      } finally {
        await file.close();
      }
    }
  } finally {
    source.destroy();
  }
  return indexed;
}

/** Bytes of one indexed file, read out of the stored archive. */
export async function readTarEntry(tgzPath: string, entry: TarEntry): Promise<Buffer> {
  const source = createReadStream(tgzPath);
  try {
    for await (const item of readTarGz(source[Symbol.asyncIterator](), PROFILE)) {
      if (item.offset !== entry.offset) continue;
      const parts: Buffer[] = [];
      for await (const part of item.data) parts.push(part);
      return Buffer.concat(parts);
    }
  } finally {
    source.destroy();
  }
  throw new RangeError(`${tgzPath} has no entry at ${entry.offset}: the index belongs to another archive`);
}
