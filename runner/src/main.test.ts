import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { outcomeOf, RunnerBench, until } from './testing/runner-for-tests.ts';
import { FINISHED, scriptedJob } from './testing/scripted-package.ts';

describe('a runner as a process of its own', () => {
  let bench: RunnerBench;
  const children: ChildProcess[] = [];
  before(async () => {
    bench = await RunnerBench.open();
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await bench.close();
  });

  function launch(): ChildProcess {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        TRAINYARD_HUB_URL: bench.hub.url,
        TRAINYARD_AGENT_TOKEN: 'agent-key',
        TRAINYARD_HOME: bench.home,
        TRAINYARD_SLOTS: '2',
        TRAINYARD_LEASE_SCALE: '0.02',
        TRAINYARD_LOG_LEVEL: 'warn',
      },
    });
    children.push(child);
    return child;
  }

  function ended(child: ChildProcess): Promise<number | null> {
    return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  }

  test('killed -9 while a trainer runs and restarted: the same attempt goes on, no event lost or doubled, the exit recorded', async () => {
    const first = launch();
    const attempt = bench.hub.enqueue(
      await scriptedJob([
        { repeat: [{ metric: 1 }, { print: 'line\n' }, { sleep: 10 }], times: 100 },
        { checkpoint: ['last'] },
        { untilFile: 'go-on' },
        { repeat: [{ metric: 1 }, { print: 'line\n' }], times: 100 },
        FINISHED,
      ]),
    );
    await until('it reports', () => attempt.next > 20, 60);
    const gone = ended(first);
    first.kill('SIGKILL');
    await gone;
    const { execution, next } = attempt;
    const second = launch();
    await until('the second one goes on', () => attempt.next > next, 60);
    await writeFile(join(bench.home, 'jobs', `ty-${attempt.job}-1`, 'go-on'), '');
    const outcome = await outcomeOf(attempt, 60);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
    assert.equal(attempt.execution, execution);
    assert.deepEqual(
      bench.hub.eventsOf(attempt).map((event) => event.seq),
      Array.from({ length: 203 }, (_, index) => index + 1),
    );
    assert.equal(attempt.log.stdout.toString(), 'line\n'.repeat(200));
    assert.equal(attempt.artifacts.length, 1);
    await until('the folders are removed', async () => (await readdir(join(bench.home, 'jobs'))).length === 0);
    const over = ended(second);
    second.kill('SIGTERM');
    assert.equal(await over, 0);
  });

  test('the trainer ended while no runner was there: its exit and every byte are found', async () => {
    const first = launch();
    const attempt = bench.hub.enqueue(
      await scriptedJob([{ metric: 1 }, { sleep: 1500 }, { metric: 1 }, { print: 'last words' }, { exit: 76 }]),
    );
    await until('it reports', () => attempt.next > 2, 60);
    const over = ended(first);
    first.kill('SIGTERM');
    assert.equal(await over, 0);
    assert.equal(attempt.outcome, null);
    const record = join(bench.home, 'process', 'attempts', `ty-${attempt.job}-1`);
    assert.ok(existsSync(record));
    const pid = Number(attempt.execution?.split(/\D+/).at(-2));
    await until('the trainer ends', () => !existsSync(`/proc/${pid}`));
    const second = launch();
    const outcome = await outcomeOf(attempt, 60);
    assert.equal(outcome.code, 'diverged.nan');
    assert.equal(outcome.exit, 76);
    assert.equal(attempt.next, 4);
    assert.equal(attempt.log.stdout.toString(), 'last words');
    second.kill('SIGTERM');
  });
});
