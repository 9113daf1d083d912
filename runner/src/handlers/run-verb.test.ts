import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { outcomeOf, RunnerBench, until } from '../testing/runner-for-tests.ts';
import { FINISHED, scriptedJob } from '../testing/scripted-package.ts';

describe('a run carried out against a hub', () => {
  let bench: RunnerBench;
  before(async () => {
    bench = await RunnerBench.open();
    bench.startRunner();
  });
  after(() => bench.close());

  test('happy path: events in order, log, checkpoint, artifacts, outcome, nothing left', async () => {
    const attempt = bench.hub.enqueue(
      await scriptedJob([
        { print: 'hello\n' },
        { print: 'careful\n', to: 'stderr' },
        { repeat: [{ metric: 1 }], times: 5 },
        { checkpoint: ['last', 'best'] },
        { file: 'output/metrics.json', text: '{"schema":"metrics@1"}' },
        FINISHED,
      ]),
    );
    const outcome = await outcomeOf(attempt);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
    assert.deepEqual(
      bench.hub.eventsOf(attempt).map((event) => event.seq),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
    assert.equal(attempt.log.stdout.toString(), 'hello\n');
    assert.equal(attempt.log.stderr.toString(), 'careful\n');
    assert.deepEqual(attempt.artifacts.map((artifact) => artifact.kind).sort(), ['checkpoint', 'metrics']);
    await until('the folders are removed', async () => (await readdir(join(bench.home, 'jobs'))).length === 0);
    await until('the record is removed', async () => (await readdir(join(bench.home, 'records'))).length === 0);
  });
});
