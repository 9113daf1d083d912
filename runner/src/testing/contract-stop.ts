import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { handleOf } from '../backends/backend.ts';
import { collect, ContractBench, eventsOf, eventually, type MakeBackend } from './contract-bench.ts';
import { startedStep, type ScriptStep } from './trainer-script.ts';

const LONG: readonly ScriptStep[] = [
  startedStep(),
  { do: 'checkpoint', id: 'c-000001', step: 10 },
  { do: 'print', text: 'ready\n' },
  { do: 'sleep', ms: 60_000 },
];

/** Stopping, killing, dying. */
export function stopCases(make: MakeBackend): void {
  const stop = (name: string, body: (bench: ContractBench) => Promise<void>): void => {
    test(name, { timeout: 60_000 }, () => ContractBench.run(make, body));
  };
  const newest = async (folder: string): Promise<unknown> =>
    JSON.parse(await readFile(join(folder, 'checkpoints', 'index.json'), 'utf8'));

  stop('C07 stop: the trainer saves, says so and exits 75 within its grace', async (bench) => {
    const work = await bench.work({ steps: LONG, saveMs: 200 });
    const handle = await bench.backend.start(work);
    await bench.sees(handle, 'stdout', 'ready');
    const before = Date.now();
    await bench.backend.stop(handle, 5);
    const exit = await bench.backend.wait(handle);
    assert.ok(Date.now() - before < 5000);
    assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 75]);
    assert.deepEqual([exit.evidence.stopAsked, exit.evidence.killedByUs], [true, false]);
    const events = eventsOf((await collect(bench.backend, handle)).events);
    assert.equal(events.filter((event) => event.type === 'stopped').length, 1);
    assert.deepEqual(await newest(work.jobFolder), { checkpoints: [{ id: 'c-stop', step: 0 }] });
  });

  stop('C08 a trainer that ignores the stop is killed with all its children when the grace is over', async (bench) => {
    const work = await bench.work({
      steps: [startedStep(), { do: 'fork', children: 3 }, { do: 'fork', children: 2, escape: true }, ...LONG.slice(1)],
      onTerm: 'ignore',
    });
    const handle = await bench.backend.start(work);
    await bench.sees(handle, 'stdout', 'ready');
    const before = Date.now();
    await bench.backend.stop(handle, 1.5);
    const exit = await bench.backend.wait(handle);
    const seconds = (Date.now() - before) / 1000;
    assert.ok(seconds > 1.4 && seconds < 2.9, `killed after ${seconds} s`);
    assert.deepEqual([exit.kind, exit.kind === 'signal' && exit.signal], ['signal', 'SIGKILL']);
    assert.ok(exit.evidence.killedByUs && exit.evidence.stopAsked && !exit.evidence.outOfMemory);
    assert.deepEqual(await newest(work.jobFolder), { checkpoints: [{ id: 'c-000001', step: 10 }] });
  });

  stop('C08b a later stop may shorten the grace', async (bench) => {
    const handle = await bench.backend.start(await bench.work({ steps: LONG, onTerm: 'ignore' }));
    await bench.sees(handle, 'stdout', 'ready');
    await bench.backend.stop(handle, 50);
    await bench.backend.stop(handle, 0);
    const exit = await bench.backend.wait(handle);
    assert.equal(exit.kind, 'signal');
  });

  stop('C09 a second signal during the save ends at once; the checkpoint before it is intact', async (bench) => {
    const work = await bench.work({ steps: LONG, saveMs: 20_000 });
    const handle = await bench.backend.start(work);
    await bench.sees(handle, 'stdout', 'ready');
    await bench.backend.stop(handle, 30);
    await bench.backend.stop(handle, 30); // sends nothing
    const saving = join(work.jobFolder, 'checkpoints', '.tmp-c-stop');
    await eventually('the save began', () =>
      access(saving).then(
        () => true,
        () => false,
      ),
    );
    await bench.subject.signal(handle);
    const exit = await bench.backend.wait(handle);
    assert.deepEqual([exit.kind, exit.kind === 'signal' && exit.signal], ['signal', 'SIGTERM']);
    assert.equal(exit.evidence.killedByUs, false);
    assert.deepEqual(await newest(work.jobFolder), { checkpoints: [{ id: 'c-000001', step: 10 }] });
  });

  stop('C12 stop against finish, many times: always one clear end', async (bench) => {
    const ends: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      const work = await bench.work({
        steps: [
          { do: 'print', text: 'ready\n' },
          { do: 'sleep', ms: round * 2 },
        ],
        onTerm: 'die',
      });
      const handle = await bench.backend.start(work);
      await bench.sees(handle, 'stdout', 'ready');
      await bench.backend.stop(handle, 5);
      const exit = await bench.backend.wait(handle);
      ends.push(exit.kind === 'exited' ? String(exit.code) : exit.kind === 'signal' ? exit.signal : exit.kind);
      await bench.backend.remove(handle);
    }
    assert.ok(
      ends.every((end) => end === '0' || end === 'SIGTERM'),
      ends.join(),
    );
  });

  stop(
    'C13 stop twice, stop after the end, remove twice, names that never existed: no error, no effect',
    async (bench) => {
      const work = await bench.work({});
      const { handle, exit } = await bench.carryOut(work);
      await bench.backend.stop(handle, 1);
      await bench.backend.stop(handle, 1);
      assert.deepEqual(await bench.backend.wait(handle), exit);
      await bench.backend.remove(handle);
      await bench.backend.remove(handle);
      await bench.backend.stop(handle, 1);
      const never = handleOf(bench.backend.name, await bench.work({}));
      await bench.backend.stop(never, 1);
      await bench.backend.remove(never);
      assert.deepEqual(await bench.backend.find(), []);
    },
  );

  stop('stop before start has answered takes effect', async (bench) => {
    const work = await bench.work({ steps: LONG, onTerm: 'die', fake: { startDelayMs: 50 } });
    const starting = bench.backend.start(work);
    await bench.backend.stop(handleOf(bench.backend.name, work), 2);
    const handle = await starting;
    const exit = await bench.backend.wait(handle);
    assert.equal(exit.kind, 'signal');
    assert.equal(exit.evidence.stopAsked, true);
  });

  stop('remove while it runs kills it', async (bench) => {
    const handle = await bench.backend.start(await bench.work({ steps: LONG, onTerm: 'ignore' }));
    await bench.sees(handle, 'stdout', 'ready');
    const waiting = bench.backend.wait(handle);
    await bench.backend.remove(handle);
    assert.notEqual((await waiting).kind, 'exited');
    assert.deepEqual(await bench.subject.leftovers(), []);
  });

  stop('remove refuses the execution id of another one', async (bench) => {
    const { handle } = await bench.carryOut(await bench.work({}));
    await assert.rejects(bench.backend.remove({ ...handle, executionId: 'boot:1:1' }), /now belongs to/);
    assert.equal((await bench.backend.find()).length, 1);
  });

  stop(
    'C29 the trainer is killed in the middle of a checkpoint: the index stays valid, the kill was not ours',
    async (bench) => {
      const work = await bench.work({
        steps: [
          startedStep(),
          { do: 'checkpoint', id: 'c-000001', step: 10 },
          { do: 'raw-events', text: '{"v":1,"seq":3,"ty' },
          { do: 'kill-self' },
        ],
      });
      const { exit, output } = await bench.carryOut(work);
      assert.deepEqual([exit.kind, exit.kind === 'signal' && exit.signal], ['signal', 'SIGKILL']);
      assert.deepEqual(
        [exit.evidence.killedByUs, exit.evidence.stopAsked, exit.evidence.outOfMemory],
        [false, false, false],
      );
      assert.ok(output.events.toString().endsWith('"seq":3,"ty'));
      assert.deepEqual(await newest(work.jobFolder), { checkpoints: [{ id: 'c-000001', step: 10 }] });
    },
  );
}
