import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeZip } from '@trainyard/plugin-sdk/archive';
import { testHub } from '../testing/test-hub.ts';

const folder = mkdtempSync(join(tmpdir(), 'ty-full-'));
/** A disk of 2 MB needs the right to mount; without it this cannot be shown. */
const mounted = ((): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
after(() => {
  if (mounted) execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true, force: true });
});

test(
  'a full disk is said as such and leaves nothing behind',
  { skip: !mounted && 'needs the right to mount' },
  async () => {
    const hub = await testHub({ blobRoot: folder });
    try {
      const body = writeZip([{ path: 'a/0.png', bytes: randomBytes(3_000_000) }]);
      const answer = await hub.call('POST', '/api/v1/datasets?name=Big', {
        as: hub.admin,
        body,
        headers: { 'content-type': 'application/zip' },
      });
      assert.equal(answer.statusCode, 507, answer.body);
      assert.equal(answer.json().code, 'storage-full');
      assert.deepEqual(await hub.files(), []);
      assert.equal(await hub.count('dataset'), 0);
    } finally {
      await hub.close();
    }
  },
);
