import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, sha256Hex, type FileDigest } from './stored-files.ts';

/** The runtime wrappers that every export carries (contract.md §8.8). A package brings its own copy, in the repository a link stands here. */

const LANGUAGES = ['python', 'ts', 'cpp'] as const;

export type WrapperLanguage = (typeof LANGUAGES)[number];

/** What a run of the wrappers may have left behind. */
const LEFT_BEHIND = /(^|\/)(__pycache__|node_modules|build)\/|\.pyc$/;

function wrapperFolder(): string {
  return join(import.meta.dirname, 'runtime');
}

/** The languages whose wrappers are here. */
export function wrapperLanguages(): WrapperLanguage[] {
  return LANGUAGES.filter((language) => existsSync(join(wrapperFolder(), language)));
}

/** Files as they lie under `runtime/` of an export, `python/predict.py` first among them. */
export function wrapperFiles(): { readonly path: string; readonly bytes: Uint8Array }[] {
  const folder = wrapperFolder();
  return wrapperLanguages()
    .flatMap((language) => filesBelow(join(folder, language)).map((path) => `${language}/${path}`))
    .filter((path) => !LEFT_BEHIND.test(path))
    .map((path) => ({ path, bytes: readFileSync(join(folder, path)) }));
}

/** The digest list of the wrappers: an export whose files under `runtime/` have others carries changed wrappers. */
export function wrapperDigests(): FileDigest[] {
  return wrapperFiles().map(({ path, bytes }) => ({ path, bytes: bytes.length, sha256: sha256Hex(bytes) }));
}
