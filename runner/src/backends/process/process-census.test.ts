import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { ProcessCensus } from './process-census.ts';
import { treeOf } from './process-tree.ts';

const children: ChildProcess[] = [];
after(() => children.forEach((child) => child.kill('SIGKILL')));

async function sleeper(): Promise<number> {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child.pid ?? 0;
}

async function pids(census: ProcessCensus): Promise<number[]> {
  return (await census.list()).map(({ pid }) => pid);
}

test('strangers are set aside; what is inside, and what is new, is listed at the next look', async () => {
  const [stranger, ours] = [await sleeper(), await sleeper()];
  const census = new ProcessCensus();
  const all = await census.list();
  census.setAside(all, new Set(treeOf(ours, all).map(({ pid }) => pid)));

  const young = await sleeper();
  const seen = await pids(census);
  assert.ok(seen.includes(ours) && seen.includes(young));
  assert.ok(!seen.includes(stranger) && !seen.includes(process.pid));
});

test('a session that begins to be watched may have been set aside; a recount finds it', async () => {
  const late = await sleeper();
  const census = new ProcessCensus();
  census.setAside(await census.list(), new Set());
  assert.ok(!(await pids(census)).includes(late));
  census.recount();
  assert.ok((await pids(census)).includes(late));
});

test('everything is read anew after ten looks: a number may have been given out again', async () => {
  const again = await sleeper();
  const census = new ProcessCensus();
  census.setAside(await census.list(), new Set());
  const looks = [];
  for (let look = 0; look < 10; look += 1) looks.push((await pids(census)).includes(again));
  assert.deepEqual(looks, [...Array.from({ length: 9 }, () => false), true]);
});
