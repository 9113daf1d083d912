import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '@trainyard/plugin-sdk';

const SHORTEST = 32;

/** The secret that signs cookies: made once in `stateDir/auth-secret` (0600). Safe when two processes start at once. */
export async function readAuthSecret(stateDir: string): Promise<string> {
  const file = join(stateDir, 'auth-secret');
  const kept = await readFile(file, 'utf8').catch(() => null);
  if (kept !== null) return requireStrongSecret(kept.trim(), file);
  await mkdir(stateDir, { recursive: true });
  const mine = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(mine, `${randomBytes(48).toString('base64url')}\n`, { mode: 0o600 });
  // A link is made whole or not at all, and never over an existing one.
  await link(mine, file).catch(() => undefined);
  await rm(mine);
  return requireStrongSecret((await readFile(file, 'utf8')).trim(), file);
}

export function requireStrongSecret(secret: string, where: string): string {
  if (secret.length >= SHORTEST && new Set(secret).size >= 10) return secret;
  throw new Problem('unavailable', {
    detail: `The secret in ${where} is too weak: it needs ${SHORTEST} random characters.`,
    fix: 'Delete the file; the next start makes a good one (everybody has to sign in again).',
  });
}
