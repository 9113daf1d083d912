import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { EXIT } from '@trainyard/plugin-sdk';
import { handleOf, Refused, Unavailable } from '../backends/backend.ts';
import { collect, ContractBench, eventsOf, type MakeBackend } from './contract-bench.ts';
import { startedStep } from './trainer-script.ts';

const VANISH = { do: 'vanish' } as const;

/** Starting, ending, adopting, removing. */
export function lifeCases(make: MakeBackend): void {
  const life = (name: string, body: (bench: ContractBench) => Promise<void>): void => {
    test(name, { timeout: 60_000 }, () => ContractBench.run(make, body));
  };

  life('C01 happy path: every event in order, digests equal, marks are file sizes', async (bench) => {
    const work = await bench.work({});
    const { handle, exit, output } = await bench.carryOut(work);
    assert.equal(exit.kind === 'exited' ? exit.code : exit.kind, 0);
    const events = eventsOf(output.events);
    assert.deepEqual(
      events.map((event) => event.seq),
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    assert.equal(events.at(-1)?.type, 'finished');
    for (const event of events.filter(({ type }) => type === 'checkpoint' || type === 'artifact')) {
      const bytes = await readFile(join(work.jobFolder, String(event['path'])));
      assert.equal(createHash('sha256').update(bytes).digest('hex'), event['sha256']);
    }
    const file = await readFile(join(work.jobFolder, 'output', 'events.jsonl'));
    assert.deepEqual(output.marks.events, { offset: file.length, generation: 0 });
    assert.notEqual(handle.executionId, null);
    assert.deepEqual(await bench.backend.find(), [handle]);
    await bench.backend.remove(handle);
    assert.deepEqual(await bench.backend.find(), []);
  });

  life('C02-C04 every exit code arrives as it was, whatever the events say', async (bench) => {
    const codes = Object.values(EXIT);
    const ends = await Promise.all(
      codes.map(async (code) => {
        const { exit } = await bench.carryOut(await bench.work({ steps: [startedStep(), { do: 'exit', code }] }));
        return exit.kind === 'exited' ? exit.code : exit.kind;
      }),
    );
    assert.deepEqual(ends, codes);
  });

  life('C05 a trainer that cannot be executed is told with its reason and never ran', async (bench) => {
    const plain = join(bench.root, 'not-executable');
    const orphan = join(bench.root, 'no-interpreter');
    await writeFile(plain, '#!/bin/sh\n');
    await writeFile(orphan, '#!/nowhere/interpreter\n');
    await chmod(orphan, 0o755);
    const cases = [
      ['{package}/missing-program', /was not found/],
      [plain, /is not executable/],
      [orphan, /interpreter "\/nowhere\/interpreter", which was not found/],
    ] as const;
    for (const [program, pattern] of cases) {
      const fake = {
        startFailed:
          program === plain ? 'is not executable' : 'interpreter "/nowhere/interpreter", which was not found',
      };
      const work = await bench.work({ fake }, { entrypoint: [program] });
      const { exit } = await bench.carryOut(work);
      assert.match(exit.evidence.startFailed ?? '', pattern);
    }
    assert.equal(await bench.begun(), 0, 'nothing may have run');
  });

  life('C10 stopped before anything was started: nothing ever starts', async (bench) => {
    const work = await bench.work({});
    const handle = handleOf(bench.backend.name, work);
    await bench.backend.stop(handle, 1);
    assert.deepEqual(await bench.backend.find(), []);
    assert.equal((await bench.backend.wait(handle)).kind, 'vanished');
    assert.deepEqual((await collect(bench.backend, handle)).pieces, []);
  });

  life('two starts at once, and one later, are one execution', async (bench) => {
    const work = await bench.work({ steps: [startedStep(), { do: 'sleep', ms: 300 }] });
    const other = await bench.subject.restarted();
    const handles = await Promise.all([bench.backend.start(work), other.start(work), bench.backend.start(work)]);
    await bench.backend.wait(handles[0]);
    handles.push(await other.start(work));
    assert.equal(new Set(handles.map((handle) => handle.executionId)).size, 1);
    if (bench.subject.real) assert.equal(await bench.begun(), 1);
  });

  life('the same name with another digest is a conflict that names both', async (bench) => {
    const work = await bench.work({});
    await bench.carryOut(work);
    const other = { ...work, specDigest: 'sha256:other' };
    await assert.rejects(bench.backend.start(other), (error) => {
      assert.ok(error instanceof Refused);
      assert.equal(error.code, 'platform.name_conflict');
      assert.ok(error.message.includes(work.specDigest) && error.message.includes('sha256:other'));
      return true;
    });
  });

  life('another installation is never seen', async (bench) => {
    await bench.carryOut(await bench.work({}, { installation: 'somebody-else' }));
    assert.deepEqual(await bench.backend.find(), []);
    for (const handle of [handleOf(bench.backend.name, await bench.work({}))]) await bench.backend.remove(handle);
    await removeForeign(bench);
  });

  life('C31 a runner that restarts adopts what runs, under the same execution id', async (bench) => {
    const work = await bench.work({ steps: [startedStep(), { do: 'sleep', ms: 400 }, { do: 'exit', code: 76 }] });
    const first = await bench.backend.start(work);
    const next = await bench.subject.restarted();
    assert.deepEqual(await next.find(), [first]);
    assert.deepEqual(await next.start(work), first);
    const exit = await next.wait(first);
    assert.equal(exit.kind === 'exited' ? exit.code : exit.kind, 76);
    assert.deepEqual(await bench.backend.wait(first), exit);
  });

  life('gone without a trace is vanished, and stays so', async (bench) => {
    const { subject } = bench;
    const steps = [startedStep(), subject.vanish === undefined ? VANISH : ({ do: 'sleep', ms: 60_000 } as const)];
    const handle = await bench.backend.start(await bench.work({ steps }));
    await bench.sees(handle, 'events', 'started');
    await subject.vanish?.(handle);
    assert.equal((await bench.backend.wait(handle)).kind, 'vanished');
    assert.equal((await (await bench.subject.restarted()).wait(handle)).kind, 'vanished');
  });

  life('offers say what there is and never throw', async (bench) => {
    const [offer] = await bench.backend.offers();
    assert.equal(offer?.backend, bench.backend.name);
    assert.ok((offer?.cpus ?? 0) >= 1 && (offer?.memoryBytes ?? 0) > 0);
    assert.ok(offer?.devices.some((device) => device.kind === 'cpu'));
  });

  life('a refusal is final, an outage is not', async (bench) => {
    const missing = { jobFolder: join(bench.root, 'never-made') };
    const refused = await bench.work({ fake: { refuse: 'The job folder does not exist.' } });
    await assert.rejects(bench.backend.start(bench.subject.real ? { ...refused, ...missing } : refused), Refused);
    if (!bench.subject.real) {
      await assert.rejects(
        bench.backend.start(await bench.work({ fake: { unavailable: 'The engine is busy.' } })),
        Unavailable,
      );
    }
    assert.deepEqual(await bench.backend.find(), []);
  });
}

/** `find` hides foreign executions, so the suite's own clean-up cannot see them. */
async function removeForeign(bench: ContractBench): Promise<void> {
  for (const name of await bench.subject.leftovers()) {
    await bench.backend.remove({
      backend: bench.backend.name,
      name,
      installation: 'somebody-else',
      job: '',
      attempt: 1,
      specDigest: '',
      executionId: null,
    });
  }
}
