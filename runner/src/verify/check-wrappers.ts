import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExportFault } from './export-check.ts';
import { WRAPPER_FOLDER } from './checkers.ts';
import { walkExport } from './export-walk.ts';

const LANGUAGES = ['python', 'ts', 'cpp'];
const FIX = 'Copy runtime/ from the SDK as it is; there is no code for one model only.';

/** Each file under runtime/ equals the SDK's of this release, and the Python wrapper is there (`export-selftest`, contract.md §8.8). */
export async function checkWrappers(folder: string): Promise<ExportFault[]> {
  const ours = dirname(WRAPPER_FOLDER);
  const { files } = await walkExport(folder);
  const wrappers = files.map(({ path }) => path).filter((path) => path.startsWith('runtime/'));
  const faults: ExportFault[] = [];
  for (const path of wrappers) {
    const inner = path.slice('runtime/'.length);
    const known = LANGUAGES.includes(inner.split('/')[0] ?? '');
    const own = known ? await readFile(join(ours, inner)).catch(() => null) : null;
    if (own === null) faults.push(fault(path, `${path} is no file of the SDK's wrappers.`));
    else if (!own.equals(await readFile(join(folder, path))))
      faults.push(fault(path, `${path} differs from the SDK's.`));
  }
  if (!wrappers.includes('runtime/python/predict.py'))
    faults.push(fault('runtime/python/predict.py', 'The export has no Python wrapper.'));
  return faults;
}

function fault(file: string, message: string): ExportFault {
  return { check: 'export-selftest', file, message, fix: FIX };
}
