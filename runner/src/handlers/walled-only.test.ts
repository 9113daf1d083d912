import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { findWall } from '../backends/process/try-wall.ts';
import { outcomeOf, RunnerBench, until } from '../testing/runner-for-tests.ts';
import { FINISHED, scriptedJob } from '../testing/scripted-package.ts';

const { note } = await findWall('auto');

describe('a job that was given because of a wall', () => {
  const wanted = process.env['TRAINYARD_WALL'];
  let bench: RunnerBench;
  before(async () => {
    bench = await RunnerBench.open();
  });
  beforeEach(() => {
    process.env['TRAINYARD_WALL'] = 'auto';
  });
  after(async () => {
    if (wanted === undefined) delete process.env['TRAINYARD_WALL'];
    else process.env['TRAINYARD_WALL'] = wanted;
    await bench.close();
  });

  test('goes back from a runner that has none, before anything of it is there', async () => {
    process.env['TRAINYARD_WALL'] = 'none';
    bench.startRunner();
    const attempt = bench.hub.enqueue({ ...(await scriptedJob([{ metric: 1 }, FINISHED])), needsWall: true });
    const { state, cause, message } = await outcomeOf(attempt);
    assert.deepEqual([state, cause], ['stopped', 'preempted']);
    assert.match(message ?? '', /behind a wall/);
    assert.equal(attempt.execution, null);
    assert.deepEqual([attempt.lines, attempt.phases], [[], []]);
    const approved = bench.hub.enqueue(await scriptedJob([{ metric: 1 }, FINISHED]));
    assert.equal((await outcomeOf(approved)).state, 'succeeded');
    await until('nothing is left', async () => (await readdir(join(bench.home, 'records'))).length === 0);
    await bench.endRunner();
  });

  test('and goes on behind its wall where it had begun', { skip: note ?? false }, async () => {
    bench.startRunner();
    const script = [{ metric: 1 }, { untilFile: 'go-on' }, FINISHED] as const;
    const attempt = bench.hub.enqueue({ ...(await scriptedJob(script)), needsWall: true });
    await until('it reports', () => attempt.next > 2);
    await bench.endRunner();
    process.env['TRAINYARD_WALL'] = 'none';
    bench.startRunner();
    await writeFile(join(bench.home, 'jobs', `ty-${attempt.job}-1`, 'go-on'), '');
    assert.equal((await outcomeOf(attempt)).state, 'succeeded');
  });
});
