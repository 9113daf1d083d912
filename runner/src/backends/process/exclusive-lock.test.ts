import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withExclusiveLock } from './exclusive-lock.ts';
import { bootId } from './process-identity.ts';

test('one at a time, also when many take over from a dead holder', { timeout: 30_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-lock-'));
  try {
    const file = join(folder, 'lock');
    for (const dead of [null, `${bootId()} 4194305 1\n`, `an-earlier-boot ${process.pid} 1\n`]) {
      if (dead !== null) await writeFile(file, dead);
      let inside = 0;
      let done = 0;
      await Promise.all(
        Array.from({ length: 12 }, () =>
          withExclusiveLock(file, async () => {
            inside += 1;
            assert.equal(inside, 1);
            await sleep(1);
            inside -= 1;
            done += 1;
          }),
        ),
      );
      assert.equal(done, 12);
      assert.deepEqual(await readdir(folder), []);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a holder that lives is waited for, then the wait ends with an error; a failure inside frees the lock', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-lock-'));
  try {
    const file = join(folder, 'lock');
    let waited = false;
    await withExclusiveLock(file, async () => {
      const second = withExclusiveLock(file, async () => 2, { waitMs: 60, onWait: () => (waited = true) });
      await assert.rejects(second, /still held/);
    });
    assert.equal(waited, true);
    await assert.rejects(
      withExclusiveLock(file, () => Promise.reject(new Error('inside'))),
      /inside/,
    );
    assert.equal(await withExclusiveLock(file, async () => 3), 3);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
