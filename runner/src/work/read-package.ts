import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { BadPackage } from './package-store.ts';

/** An extracted package and the parts of its trainer.yaml that running needs. */
export interface TrainerPackage {
  readonly digest: string;
  readonly folder: string;
  readonly manifest: RunnableManifest;
}
export interface RunnableManifest {
  readonly name: string;
  readonly version: string;
  readonly entrypoint: readonly string[];
  readonly local?: {
    readonly requires?: { readonly python?: string; readonly node?: string };
    readonly setup?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Reads trainer.yaml of an extracted package. The package was validated before it could be started; this only guards against a broken folder. */
export async function readTrainerPackage(folder: string, digest: string): Promise<TrainerPackage> {
  let value: unknown;
  try {
    value = parse(await readFile(join(folder, 'trainer.yaml'), 'utf8'));
  } catch (error) {
    throw new BadPackage(`trainer.yaml of the package cannot be read: ${String(error)}`);
  }
  if (!isRunnable(value)) throw new BadPackage('trainer.yaml of the package has no name, version or entrypoint.');
  return { digest, folder, manifest: value };
}

function isRunnable(value: unknown): value is RunnableManifest {
  if (value === null || typeof value !== 'object') return false;
  return (
    'name' in value &&
    typeof value.name === 'string' &&
    'version' in value &&
    typeof value.version === 'string' &&
    'entrypoint' in value &&
    isTexts(value.entrypoint)
  );
}
