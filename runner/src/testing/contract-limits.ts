import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContractBench, type MakeBackend } from './contract-bench.ts';
import { startedStep } from './trainer-script.ts';

const MIB = 2 ** 20;
const LIMITS = { memoryBytes: 1024 * MIB, maxSeconds: 60, diskBytes: 1024 * MIB };

/** Limits that end an execution. */
export function limitCases(make: MakeBackend): void {
  const limit = (name: string, body: (bench: ContractBench) => Promise<void>): void => {
    test(name, { timeout: 60_000 }, () => ContractBench.run(make, body));
  };

  limit('C14 the time limit asks the trainer to save and says timed out', async (bench) => {
    const work = await bench.work(
      { steps: [startedStep(), { do: 'sleep', ms: 60_000 }] },
      { limits: { ...LIMITS, maxSeconds: 1 } },
    );
    const { exit } = await bench.carryOut(work);
    assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 75]);
    assert.deepEqual([exit.evidence.timedOut, exit.evidence.stopAsked, exit.evidence.killedByUs], [true, false, false]);
  });

  limit('C14b a trainer that ignores the time limit is killed after its grace', async (bench) => {
    const work = await bench.work(
      { steps: [startedStep(), { do: 'sleep', ms: 60_000 }], onTerm: 'ignore' },
      { limits: { ...LIMITS, maxSeconds: 1 }, grace: 1 },
    );
    const { exit } = await bench.carryOut(work);
    assert.equal(exit.kind, 'signal');
    assert.deepEqual([exit.evidence.timedOut, exit.evidence.killedByUs], [true, true]);
  });

  limit('C16 a memory bomb ends as out of memory', async (bench) => {
    const work = await bench.work(
      { steps: [startedStep(), { do: 'allocate', bytes: 800 * MIB, pieceMs: 50 }, { do: 'sleep', ms: 60_000 }] },
      { limits: { ...LIMITS, memoryBytes: 192 * MIB } },
    );
    const { exit } = await bench.carryOut(work);
    assert.equal(exit.evidence.outOfMemory, true);
    assert.notDeepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 0]);
  });

  limit('C17 a fork bomb is bounded and leaves nothing', async (bench) => {
    const steps = [startedStep(), { do: 'fork', children: 400, escape: false }, { do: 'sleep', ms: 60_000 }] as const;
    const { exit } = await bench.carryOut(await bench.work({ steps }, { limits: { ...LIMITS, processes: 40 } }));
    assert.equal(exit.evidence.tooManyProcesses, true);
    assert.equal(exit.kind, 'signal');
  });

  limit('C18 the disk quota ends it', async (bench) => {
    const work = await bench.work(
      { steps: [startedStep(), { do: 'fill-disk', bytes: 96 * MIB, pieceMs: 50 }, { do: 'sleep', ms: 60_000 }] },
      { limits: { ...LIMITS, diskBytes: 40 * MIB } },
    );
    const { exit } = await bench.carryOut(work);
    assert.equal(exit.evidence.diskQuota, true);
    assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 75]);
  });

  limit('C22 silence without a limit does no harm', async (bench) => {
    const steps = [
      { do: 'sleep', ms: 1500 },
      { do: 'print', text: 'still here\n' },
      { do: 'exit', code: 0 },
    ] as const;
    const { exit, output } = await bench.carryOut(await bench.work({ steps }));
    assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 0]);
    assert.equal(output.stdout.toString(), 'still here\n');
  });

  limit('C23 silence beyond its limit ends it', async (bench) => {
    const work = await bench.work(
      { steps: [startedStep(), { do: 'sleep', ms: 60_000 }] },
      { limits: { ...LIMITS, silenceSeconds: 1 } },
    );
    const { exit } = await bench.carryOut(work);
    assert.equal(exit.evidence.silent, true);
  });

  limit('talking in time is not silence', async (bench) => {
    const talk = Array.from({ length: 6 }, (_, index) => [
      { do: 'sleep', ms: 300 } as const,
      { do: 'print', text: `${index}\n` } as const,
    ]).flat();
    const work = await bench.work({ steps: [startedStep(), ...talk] }, { limits: { ...LIMITS, silenceSeconds: 1.2 } });
    const { exit } = await bench.carryOut(work);
    assert.deepEqual([exit.kind, exit.evidence.silent], ['exited', false]);
  });
}
