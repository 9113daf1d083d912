import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { outcomeOf, RunnerBench, until } from '../testing/runner-for-tests.ts';
import { FINISHED, scriptedJob, type Step } from '../testing/scripted-package.ts';

function seqs(bench: RunnerBench, attempt: Parameters<RunnerBench['hub']['eventsOf']>[0]): number[] {
  return bench.hub.eventsOf(attempt).map((event) => event.seq);
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

function notesOf(result: unknown): string {
  return JSON.stringify(result !== null && typeof result === 'object' ? Reflect.get(result, 'notes') : null);
}

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
    assert.deepEqual(outcome, {
      state: 'succeeded',
      exit: 0,
      result: { metrics: { top1: 0.9 }, best: null, seconds: 1 },
    });
    assert.deepEqual(seqs(bench, attempt), upTo(8));
    assert.equal(attempt.log.stdout.toString(), 'hello\n');
    assert.equal(attempt.log.stderr.toString(), 'careful\n');
    assert.deepEqual(attempt.artifacts.map((artifact) => artifact.kind).sort(), ['checkpoint', 'metrics']);
    assert.deepEqual([...new Set(attempt.phases.map(({ phase }) => phase))], ['preparing', 'running', 'collecting']);
    await until('the folders are removed', async () => (await readdir(join(bench.home, 'jobs'))).length === 0);
    await until('the record is removed', async () => (await readdir(join(bench.home, 'records'))).length === 0);
  });

  test('the trainer sees its dataset and job file', async () => {
    const attempt = bench.hub.enqueue(await scriptedJob([{ untilFile: 'go-on' }, FINISHED]));
    await until('it runs', () => attempt.execution !== null);
    const folder = join(bench.home, 'jobs', `ty-${attempt.job}-1`);
    assert.ok(existsSync(join(folder, 'dataset', 'dataset.json')));
    assert.ok(existsSync(join(folder, 'dataset', 'images', 'a.png')));
    await writeFile(join(folder, 'go-on'), '');
    assert.equal((await outcomeOf(attempt)).state, 'succeeded');
  });

  test('a pause: exit 75, the checkpoint is recorded', async () => {
    const attempt = bench.hub.enqueue(await scriptedJob([{ metric: 1 }, { sleep: 60_000 }]));
    await until('it reports', () => attempt.next > 2);
    bench.hub.ask(attempt, { what: 'pause', grace: 10 });
    const outcome = await outcomeOf(attempt);
    assert.deepEqual(outcome, { state: 'stopped', cause: 'cancelled', exit: 75 });
    assert.equal(attempt.artifacts.filter((artifact) => artifact.kind === 'checkpoint').length, 1);
    assert.equal(bench.hub.eventsOf(attempt).at(-1)?.type, 'stopped');
  });

  test('a stop request that only a renewal tells, ignored by the trainer: killed when its grace is over, unclean', async () => {
    const attempt = bench.hub.enqueue(
      await scriptedJob([{ checkpoint: ['last'] }, { sleep: 60_000 }], { config: { stubborn: true } }),
    );
    await until('it reports', () => attempt.next > 2);
    attempt.stop = { what: 'cancel', grace: 1 };
    const outcome = await outcomeOf(attempt);
    assert.deepEqual(outcome, { state: 'stopped', cause: 'cancelled', unclean: true });
    assert.equal(attempt.artifacts.length, 1);
  });

  test('a checkpoint is brought back and training goes on from its step', async () => {
    const first = bench.hub.enqueue(await scriptedJob([{ metric: 1 }, { checkpoint: ['last', 'best'] }, FINISHED]));
    await outcomeOf(first);
    const stored = first.artifacts[0];
    assert.ok(stored !== undefined);
    const job = await scriptedJob([{ metric: 1 }, FINISHED]);
    const inputs = new Map(job.inputs);
    for (const file of stored.files) inputs.set(file.sha256, bench.hub.blobs.get(file.sha256) ?? Buffer.alloc(0));
    const resume = { id: 'a', name: 'c', ...stored, step: 1, files: [...stored.files] };
    const second = bench.hub.enqueue({ ...job, inputs, resume });
    assert.equal((await outcomeOf(second)).state, 'succeeded');
    const [started, metric] = bench.hub.eventsOf(second);
    assert.deepEqual(started !== undefined && 'resumedFrom' in started ? started.resumedFrom : null, {
      checkpoint: stored.path,
      step: 1,
    });
    assert.equal(metric !== undefined && 'step' in metric ? metric.step : null, 2);
  });

  test('a superseded attempt: the execution and its folder are removed', async () => {
    const attempt = bench.hub.enqueue(await scriptedJob([{ metric: 1 }, { sleep: 60_000 }]));
    await until('it reports', () => attempt.next > 2);
    const pid = Number(attempt.execution?.split(/\D+/).at(-2));
    assert.ok(pid > 0 && existsSync(`/proc/${pid}`), `execution ${attempt.execution}`);
    bench.hub.supersede(attempt);
    await until('the process ends', () => !existsSync(`/proc/${pid}`));
    await until('the folders are removed', async () => (await readdir(join(bench.home, 'jobs'))).length === 0);
    assert.equal(attempt.outcome, null);
  });

  test('the hub is away for three seconds: nothing is lost or doubled', async () => {
    const attempt = bench.hub.enqueue(
      await scriptedJob([
        { repeat: [{ metric: 1 }, { print: 'line\n' }, { sleep: 20 }], times: 150 },
        { checkpoint: ['last'] },
        FINISHED,
      ]),
    );
    await until('it reports', () => attempt.next > 5);
    await bench.hub.goAway();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await bench.hub.comeBack();
    assert.equal((await outcomeOf(attempt)).state, 'succeeded');
    assert.deepEqual(seqs(bench, attempt), upTo(153));
    assert.equal(attempt.log.stdout.toString(), 'line\n'.repeat(150));
    assert.equal(attempt.artifacts.length, 1);
  });

  const failures: readonly { name: string; script: readonly Step[]; code: string; exit?: number }[] = [
    { name: 'kill -9 from outside', script: [{ metric: 1 }, { kill: 'SIGKILL' }], code: 'platform.killed' },
    { name: 'exit 0 without a terminal event', script: [{ metric: 1 }], code: 'internal.protocol', exit: 0 },
    { name: 'finished but exit 70', script: [FINISHED, { exit: 70 }], code: 'internal.protocol', exit: 70 },
    {
      name: 'failed with a code of another exit',
      script: [{ say: 'failed', fields: { code: 'dataset.format', message: 'No.' } }, { exit: 70 }],
      code: 'internal.protocol',
      exit: 70,
    },
    {
      name: 'failed as the contract says',
      script: [{ say: 'failed', fields: { code: 'dataset.format', message: 'No.' } }, { exit: 65 }],
      code: 'dataset.format',
      exit: 65,
    },
    {
      name: 'exit 70 without a word',
      script: [{ print: 'boom\n', to: 'stderr' }, { exit: 70 }],
      code: 'internal.exception',
      exit: 70,
    },
    { name: 'finished twice', script: [FINISHED, FINISHED], code: 'internal.protocol', exit: 0 },
  ];
  for (const { name, script, code, exit } of failures) {
    test(`${name} → ${code}`, async () => {
      const outcome = await outcomeOf(bench.hub.enqueue(await scriptedJob(script)));
      assert.equal(outcome.state, 'failed');
      assert.equal(outcome.code, code, JSON.stringify(outcome));
      assert.equal(outcome.exit, exit);
    });
  }

  test('garbage, repeats and holes: a sequence without holes, and notes', async () => {
    const attempt = bench.hub.enqueue(
      await scriptedJob([
        { raw: 'not json\n' },
        { metric: 1 },
        { say: 'log', fields: { level: 'info', message: 'jump', seq: 10 } },
        { say: 'log', fields: { level: 'info', message: 'again', seq: 10 } },
        { raw: `${'x'.repeat(300_000)}\n` },
        FINISHED,
      ]),
    );
    const outcome = await outcomeOf(attempt);
    assert.equal(outcome.state, 'succeeded');
    assert.deepEqual(
      bench.hub.eventsOf(attempt).map((event) => `${event.seq} ${event.type}`),
      ['1 started', '2 metric', '3 gap', '10 log', '11 finished'],
    );
    assert.match(notesOf(outcome.result), /2 lines of the event file were no events/);
    assert.match(notesOf(outcome.result), /Events 3 to 9 are missing/);
  });

  test('what lies in output/ is hostile: links, pipes and wrong digests are refused and noted', async () => {
    const named = (path: string): Step => ({
      say: 'artifact',
      fields: { kind: 'table', path, mediaType: 'text/csv', bytes: 1, sha256: '0'.repeat(64) },
    });
    const attempt = bench.hub.enqueue(
      await scriptedJob([
        { file: 'output/true.csv', text: 'a,b' },
        { link: 'output/link.csv', to: '/etc/hostname' },
        { fifo: 'output/pipe.csv' },
        { link: 'output/away', to: '/etc' },
        ...['output/true.csv', 'output/link.csv', 'output/pipe.csv', 'output/away/hostname', 'output/../../x'].map(
          named,
        ),
        { link: 'output/metrics.json', to: '/etc/hostname' },
        FINISHED,
      ]),
    );
    const outcome = await outcomeOf(attempt);
    assert.equal(outcome.state, 'succeeded');
    assert.deepEqual(attempt.artifacts, []);
    const notes = notesOf(outcome.result);
    for (const part of [
      'true.csv differs',
      'link.csv is a link',
      'pipe.csv is not a regular',
      'away/hostname lies behind',
      'has the part',
      'metrics.json is a link',
    ])
      assert.ok(notes.includes(part), `${part} in ${notes}`);
  });

  test('evaluate gets its checkpoint; a missing input ends it before anything runs', async () => {
    const checkpoint = {
      id: 'a',
      name: 'c-000001',
      path: 'checkpoints/c-000001',
      sha256: '1'.repeat(64),
      meta: {},
      files: [{ path: 'state.json', bytes: 3, sha256: '2'.repeat(64) }],
    };
    const attempt = bench.hub.enqueue(
      await scriptedJob([FINISHED], { spec: { kind: 'evaluate', checkpoint, evaluate: { split: 'val' } } }),
    );
    const outcome = await outcomeOf(attempt);
    assert.equal(outcome.code, 'io.read', JSON.stringify(outcome));
    assert.equal(attempt.execution, null);
  });
});
