import { createHash } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHECKERS_FOLDER } from '../checkers.ts';
import type { Checkers } from '../export-check.ts';

/** The checkers' environment for tests: $TRAINYARD_TEST_ENVS/checkers, or the one that the test runner keeps; null when there is none. */
export async function checkersForTests(): Promise<Checkers | null> {
  const lock = await readFile(join(CHECKERS_FOLDER, 'requirements.lock'));
  const digest = createHash('sha256').update(lock).digest('hex').slice(0, 12);
  const kept = fileURLToPath(new URL('../../../../.trainyard/cache/test-environments', import.meta.url));
  const given = process.env['TRAINYARD_TEST_ENVS'] ?? '';
  const places = [...(given === '' ? [] : [join(given, 'checkers'), join(given, `checkers-${digest}`)])];
  for (const place of [...places, join(kept, `checkers-${digest}`)]) {
    const python = join(place, 'bin', 'python');
    const there = await access(python).then(
      () => true,
      () => false,
    );
    if (there) return { python };
  }
  return null;
}

export const NO_CHECKERS =
  'the checkers are not prepared: set TRAINYARD_TEST_ENVS to a folder with checkers/bin/python';
