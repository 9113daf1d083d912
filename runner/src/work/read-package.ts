import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseManifest, type Manifest } from '@trainyard/plugin-sdk';
import { BadPackage } from './package-store.ts';

/** An extracted package and its manifest. */
export interface TrainerPackage {
  readonly digest: string;
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Reads trainer.yaml of an extracted package. The package was validated before; this only guards against a broken folder. */
export async function readTrainerPackage(folder: string, digest: string): Promise<TrainerPackage> {
  const text = await readFile(join(folder, 'trainer.yaml'), 'utf8').catch(() => null);
  if (text === null) throw new BadPackage('The package has no trainer.yaml.');
  const parsed = parseManifest(text);
  if ('findings' in parsed) {
    throw new BadPackage(parsed.findings[0]?.message ?? 'trainer.yaml cannot be read.', parsed.findings);
  }
  return { digest, folder, manifest: parsed.manifest };
}
