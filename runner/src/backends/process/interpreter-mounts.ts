import { lstat, readdir, readlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isThere } from './wall-command.ts';

export interface InterpreterMounts {
  readonly readOnly: readonly string[];
  readonly links: Readonly<Record<string, string>>;
}

/**
 * What a program needs to be found and to run behind a wall: an environment's `python` is a link, often over several others, to an interpreter
 * that finds its library beside itself. Each hop with a library of its own shows its folder, another one only itself: `~/.local/bin/python3.12`
 * must not show the home.
 */
export async function interpreterMounts(program: string): Promise<InterpreterMounts> {
  const readOnly = new Set<string>();
  const links: Record<string, string> = {};
  let file = program;
  for (let hop = 0; hop < 16; hop += 1) {
    const library = dirname(dirname(file));
    if ((await isPythonFolder(library)) || (await isThere(join(library, 'pyvenv.cfg')))) readOnly.add(library);
    const target = await linkOf(file);
    if (target === null) {
      readOnly.add(file);
      break;
    }
    if (![...readOnly].some((place) => file.startsWith(`${place}/`)) && !file.startsWith('/usr/')) links[file] = target;
    file = resolve(dirname(file), target);
  }
  const places = [...readOnly].filter((place) => !isSystem(place));
  const alone = places.filter((place) => !places.some((other) => place.startsWith(`${other}/`)));
  return { readOnly: alone, links };
}

function isSystem(path: string): boolean {
  return path === '/usr' || path === '/' || /^\/(usr|bin|lib\w*)\//.test(path);
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
