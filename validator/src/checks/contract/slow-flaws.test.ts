import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Report } from '@trainyard/plugin-sdk';
import { changedFiles, snapshotOf } from '../../contract/stray-writes.ts';
import { readEvents } from '../../trial/event-file.ts';
import { silences } from './heartbeat.ts';
import { plainPackage } from '../../testing/plain-package.ts';
import { ValidatorBench } from '../../testing/validator-bench.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'slow-flaws-'));
});
after(() => rm(root, { recursive: true, force: true }));

test('heartbeat: half a minute without a usage event is told with its length', () => {
  const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString();
  const usage = (seq: number, seconds: number): string =>
    JSON.stringify({ v: 1, seq, ts: at(seconds), type: 'usage', cpuPercent: 1, rssBytes: 1 });
  const lines = (times: readonly number[]) =>
    readEvents(Buffer.from(times.map((seconds, index) => `${usage(index + 1, seconds)}\n`).join('')));
  assert.deepEqual(silences(lines([0, 10, 20, 49])), []);
  assert.deepEqual(silences(lines([0, 10, 51, 60])), [{ from: at(10), seconds: 41 }]);
});

test('confined-writes: a file that is new, changed or gone in the package is told', async () => {
  const folder = join(root, 'package');
  await mkdir(join(folder, 'src'), { recursive: true });
  for (const name of ['kept.py', 'changed.py', 'gone.py']) await writeFile(join(folder, 'src', name), name);
  const subject = { folder, environment: null };
  const before = await snapshotOf(subject);
  assert.deepEqual(await changedFiles(subject, before), []);
  await writeFile(join(folder, 'src', 'changed.py'), 'another text');
  await writeFile(join(folder, 'src', 'new.pyc'), '');
  await rm(join(folder, 'src', 'gone.py'));
  assert.deepEqual(await changedFiles(subject, before), [
    'package/src/changed.py',
    'package/src/gone.py',
    'package/src/new.pyc',
  ]);
});

test('memory-honest: more memory than declared is told with both figures', async () => {
  const bench = await ValidatorBench.open();
  try {
    const manifest = { resources: { min: { cpu: 1, memory: '1Mi' }, grace: 10 } };
    const report: Report = await bench.validate(await plainPackage([], { manifest }));
    const found = report.findings.filter(({ severity }) => severity === 'error');
    assert.deepEqual([...new Set(found.map(({ check }) => check))], ['memory-honest'], JSON.stringify(report.findings));
    assert.match(found[0]?.message ?? '', /had \d+ MiB of memory; trainer\.yaml says 1 MiB are enough/);
  } finally {
    await bench.close();
  }
});
