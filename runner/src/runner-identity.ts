import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { newId } from '@trainyard/plugin-sdk';

/** Name of this agent and of its installation: made once, kept in the home, so that a restarted runner finds its own. */
export async function readIdentity(home: string, prefix: string): Promise<{ name: string; installation: string }> {
  await mkdir(home, { recursive: true });
  const file = join(home, `${prefix}-identity.json`);
  const host = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 30);
  const made = { name: `${prefix}-${host}-${newId().slice(-6)}`, installation: newId() };
  try {
    await writeFile(file, JSON.stringify(made), { flag: 'wx' });
    return made;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const value: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (
    value !== null &&
    typeof value === 'object' &&
    'name' in value &&
    typeof value.name === 'string' &&
    'installation' in value &&
    typeof value.installation === 'string'
  ) {
    return { name: value.name, installation: value.installation };
  }
  throw new Error(`${file} is damaged. Remove it; running trainers of this runner are then no longer found.`);
}
