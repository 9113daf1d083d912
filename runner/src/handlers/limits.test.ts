import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { outcomeOf, RunnerBench } from '../testing/runner-for-tests.ts';
import { FINISHED, scriptedJob } from '../testing/scripted-package.ts';

const LIMITS = { cpus: 1, memoryBytes: 1024 ** 3, shmBytes: 0, maxSeconds: 600 };

describe('trainers without measure', () => {
  let bench: RunnerBench;
  before(async () => {
    bench = await RunnerBench.open({ silenceSeconds: 2 });
    bench.startRunner();
  });
  after(() => bench.close());

  test('one that never ends is stopped at the time limit and can be resumed', async () => {
    const job = await scriptedJob([{ repeat: [{ metric: 1 }, { sleep: 50 }], times: 100_000 }], {
      spec: { limits: { ...LIMITS, maxSeconds: 2 } },
    });
    const attempt = bench.hub.enqueue(job);
    const outcome = await outcomeOf(attempt);
    assert.equal(outcome.state, 'stopped', JSON.stringify(outcome));
    assert.equal(outcome.cause, 'timed_out');
    assert.equal(outcome.code, 'platform.timeout');
    assert.equal(outcome.unclean, undefined);
    assert.equal(attempt.artifacts.length, 1);
  });

  test('one that says nothing is ended', async () => {
    const outcome = await outcomeOf(bench.hub.enqueue(await scriptedJob([{ sleep: 60_000 }, FINISHED])));
    assert.equal(outcome.code, 'platform.silent', JSON.stringify(outcome));
  });

  test('a flood of output: head and tail are kept, the rest is counted, events are not held up', async () => {
    const line = `${'0123456789'.repeat(10)}\n`;
    const attempt = bench.hub.enqueue(
      await scriptedJob([
        { print: 'first line\n' },
        { repeat: [{ print: line.repeat(1000) }], times: 200 },
        { metric: 1 },
        { print: 'last line\n' },
        FINISHED,
      ]),
    );
    const outcome = await outcomeOf(attempt, 40);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
    const whole = 'first line\n'.length + line.length * 200_000 + 'last line\n'.length;
    const text = attempt.log.stdout.toString();
    const dropped = Number(/\[(\d+) bytes were left out here/.exec(text)?.[1]);
    const mark = `\n[${dropped} bytes were left out here: the log was too long]\n`;
    assert.equal(text.length, whole - dropped + mark.length);
    assert.ok(text.startsWith('first line\n') && text.endsWith('last line\n'));
    assert.equal(attempt.next, 4);
  });

  test('a flood of events arrives whole, in order', async () => {
    const attempt = bench.hub.enqueue(await scriptedJob([{ repeat: [{ metric: 1 }], times: 30_000 }, FINISHED]));
    const outcome = await outcomeOf(attempt, 60);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
    assert.equal(attempt.lines.length, 30_002);
  });
});
