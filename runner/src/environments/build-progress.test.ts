import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../testing/index.ts';
import { BuildProgress, type EnvironmentProgress } from './build-progress.ts';

const MIB = 1024 * 1024;
/** An installer whose child writes: behind a wall it is a grandchild. Goes on by each line of its input. */
const INSTALLER = `
const { spawn } = require('node:child_process');
const child = "const fs = require('node:fs'); process.stdin.on('data', () => { fs.appendFileSync(process.argv[1], Buffer.alloc(10 * ${MIB})); console.log('written'); })";
spawn(process.execPath, ['-e', child, process.argv[1]], { stdio: 'inherit' });
`;

test('a download moves by what its installer writes and what is unpacked, and by nothing else on the disk', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-progress-'));
  const cache = join(folder, 'uv-cache');
  const installer = spawn(process.execPath, ['-e', INSTALLER, join(folder, 'under-way')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(async () => {
    installer.stdin.end();
    await once(installer, 'close');
    await rm(folder, { recursive: true, force: true });
  });
  const write = async (): Promise<void> => {
    installer.stdin.write('more\n');
    await once(installer.stdout, 'data');
  };
  const unpack = async (name: string, bytes: number): Promise<void> => {
    const info = join(cache, 'archive-v0', `${name}-id`, `${name}-1.0.dist-info`);
    await mkdir(info, { recursive: true });
    await writeFile(join(info, 'RECORD'), `${name}/a.bin,sha256=x,${bytes}\n${name}-1.0.dist-info/RECORD,,\n`);
  };
  await unpack('old', 500 * MIB);
  const told: EnvironmentProgress[] = [];
  const progress = new BuildProgress(cache, join(folder, 'env'), 9, (step) => told.push(step));
  await progress.begin();
  assert.ok(installer.pid !== undefined);
  progress.installer(installer.pid);
  const reaches = (what: string, done: number, megabytes: number): Promise<void> =>
    eventually(what, async () =>
      told.some((step) => step.done === done && Math.abs((step.bytes ?? 0) / MIB - megabytes) < 1),
    );
  for (const line of ['Resolved 2 packages in 2ms', 'Downloading torch (40.0MiB)', 'Downloading numpy (10.0MiB)'])
    progress.line(line);

  await write();
  await reaches('what is under way counts, packed as it usually is', 0, 4.5);
  await writeFile(join(folder, 'by-somebody-else'), Buffer.alloc(30 * MIB));
  await write();
  await unpack('numpy', 20 * MIB);
  progress.line(' Downloaded numpy');
  await reaches('a package is there', 1, 10);
  await write();
  await reaches('and the next one moves, by the ratio of the first', 1, 15);
  await progress.end(false);
  assert.deepEqual(new Set(told.map(({ total }) => total)), new Set([9, 2]));
  assert.ok(told.every(({ bytes = 0 }) => bytes / MIB < 16));
});
