import { mkdir, rename, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { WALLED_ID } from './wall-command.ts';

const FILES = {
  passwd: `trainer:x:${WALLED_ID}:${WALLED_ID}::/tmp:/usr/sbin/nologin\n`,
  group: `trainer:x:${WALLED_ID}:\n`,
  hosts: '127.0.0.1 localhost trainer\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

/** Writes the small files of /etc that a walled trainer sees; answers name → place. Libraries ask for the name of their user and for localhost. */
export async function writeWallEtc(folder: string): Promise<Readonly<Record<string, string>>> {
  await mkdir(folder, { recursive: true });
  const places: Record<string, string> = {};
  for (const [name, text] of Object.entries(FILES)) {
    const place = join(folder, name);
    const fresh = join(folder, `.${randomUUID()}`);
    await writeFile(fresh, text);
    await rename(fresh, place); // several runners of one machine may do this at once
    places[name] = place;
  }
  return places;
}
