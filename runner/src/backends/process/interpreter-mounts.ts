import { lstat, readdir, readlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isThere } from './wall-command.ts';

export interface InterpreterMounts {
  readonly readOnly: readonly string[];
  readonly links: Readonly<Record<string, string>>;
}

/**
 * What an interpreter needs to be found and to run behind a wall: an environment's `python` is a link, often over several others, to a Python that
 * finds its library beside itself. The environment shows its folder, a Python its own; a link in between shows only itself: `~/.local/bin/python3.12`
 * must not show the home. A link that ends elsewhere, which a hostile environment may hold, shows nothing.
 */
export async function interpreterMounts(program: string): Promise<InterpreterMounts> {
  const readOnly: string[] = [];
  const links: Record<string, string> = {};
  let file = program;
  if (await isThere(join(dirname(dirname(file)), 'pyvenv.cfg'))) readOnly.push(dirname(dirname(file)));
  for (let hop = 0; hop < 16; hop += 1) {
    const library = dirname(dirname(file));
    if (!isSystem(file) && (await isPythonFolder(library))) readOnly.push(library);
    const target = await linkOf(file);
    if (target === null) return isSystem(file) || (await isPython(file)) ? { readOnly, links } : NOTHING;
    if (!isSystem(file) && !readOnly.some((place) => file.startsWith(`${place}/`))) links[file] = target;
    file = resolve(dirname(file), target);
  }
  return NOTHING;
}

const NOTHING: InterpreterMounts = { readOnly: [], links: {} };

async function isPython(file: string): Promise<boolean> {
  return /^python[\d.]*$/.test(basename(file)) && (await isPythonFolder(dirname(dirname(file))));
}

function isSystem(path: string): boolean {
  return /^\/(usr|s?bin|lib\w*)\//.test(path);
}

async function linkOf(file: string): Promise<string | null> {
  const found = await lstat(file).catch(() => null);
  return found?.isSymbolicLink() === true ? readlink(file) : null;
}

/** The folder with `bin/python3` and `lib/python3.12/os.py`. */
async function isPythonFolder(folder: string): Promise<boolean> {
  const names = await readdir(join(folder, 'lib')).catch(() => []);
  const each = await Promise.all(
    names.filter((name) => name.startsWith('python3')).map((name) => isThere(join(folder, 'lib', name, 'os.py'))),
  );
  return each.includes(true);
}
