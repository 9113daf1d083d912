import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../problem.ts';
import { writePackage, type PackedFile } from '../archive/index.ts';

/** Never part of a package, whatever the author listed. */
const LEFT_OUT = new Set([
  'node_modules',
  '__pycache__',
  '.git',
  '.venv',
  'venv',
  '.trainyard',
  '.DS_Store',
  'dist',
  '.mypy_cache',
  '.pytest_cache',
]);
const LEFT_OUT_ENDINGS = ['.pyc', '.test.ts', '.tgz'];

function isLeftOut(name: string): boolean {
  return LEFT_OUT.has(name) || LEFT_OUT_ENDINGS.some((ending) => name.endsWith(ending));
}

/** Follows links: in the repository the vendored SDK is one, a package holds real files. */
async function collect(root: string, path: string, files: PackedFile[]): Promise<void> {
  const info = await stat(join(root, path));
  if (info.isDirectory()) {
    const names = await readdir(join(root, path));
    for (const name of names.sort())
      if (!isLeftOut(name)) await collect(root, path === '' ? name : `${path}/${name}`, files);
  } else if (info.isFile()) {
    files.push({
      path,
      bytes: await readFile(join(root, path)),
      executable: (info.mode & 0o100) !== 0 && path.endsWith('.sh'),
    });
  }
}

/** Files named by `files` of package.json, as npm reads it; everything when there is no such list. */
async function listed(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => {
    throw new Problem('release-invalid', {
      detail: `There is no package.json in ${folder}.`,
      fix: 'Name the folder of a trainer, or make one with `trainyard init`.',
      errors: [
        {
          file: 'package.json',
          code: 'archive-layout',
          message: 'is missing',
          fix: 'Run `trainyard init` in an empty folder to see what belongs there.',
        },
      ],
    });
  });
  let names: unknown;
  try {
    names = (JSON.parse(text) as { files?: unknown }).files;
  } catch {
    throw new Problem('release-invalid', {
      detail: 'package.json is not JSON.',
      fix: 'Mend package.json.',
      errors: [{ file: 'package.json', code: 'manifest-invalid', message: 'is not JSON' }],
    });
  }
  return Array.isArray(names) ? ['package.json', ...names.map(String)] : [''];
}

/** A trainer folder as the bytes of its package. Equal files give equal bytes on every machine. */
export async function packTrainer(folder: string): Promise<Buffer> {
  const files: PackedFile[] = [];
  for (const name of new Set(await listed(folder))) {
    const found = await stat(join(folder, name)).then(
      () => true,
      () => false,
    );
    if (found) await collect(folder, name.replace(/\/$/, ''), files);
  }
  return writePackage([...new Map(files.map((file) => [file.path, file])).values()]);
}
