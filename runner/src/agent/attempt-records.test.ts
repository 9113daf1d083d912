import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAttemptRecords, type AttemptRecord } from './attempt-records.ts';

function recordOf(id: string): AttemptRecord {
  const release = {
    id: 'r',
    name: '@a/b',
    version: '1.0.0',
    packageDigest: `sha256:${'0'.repeat(64)}`,
    packageBytes: 1,
  };
  const given = { id, job: 'j', number: 1, fence: 1, needsWall: false, execution: null, resume: null };
  return {
    claimed: { ...given, spec: { kind: 'prepare', release }, inputs: [], snapshotUrl: null },
    execution: `execution of ${id}`,
  };
}

test('records that are removed while they are listed are left out, and the others are all there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'records-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const records = openAttemptRecords(folder);
  const ids = Array.from({ length: 200 }, (_, index) => String(index));
  for (const id of ids) await records.write(recordOf(id));
  const listing = records.list();
  const removing = Promise.all(ids.filter((id) => Number(id) % 2 === 1).map((id) => records.remove(id)));
  const listed = new Set((await listing).map(({ claimed }) => claimed.id));
  await removing;
  assert.deepEqual(
    [...ids].filter((id) => Number(id) % 2 === 0 && !listed.has(id)),
    [],
  );
  assert.equal((await records.list()).length, 100);
  assert.deepEqual(
    (await records.list()).find(({ claimed }) => claimed.id === '4'),
    recordOf('4'),
  );
});
