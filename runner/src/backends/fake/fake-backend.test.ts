import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backendContract, collect, ContractBench, eventsOf, INSTALLATION } from '../../testing/index.ts';
import { startedStep } from '../../testing/trainer-script.ts';
import { createFakeBackend, fakeLeftovers } from './fake-backend.ts';
import { VirtualClock } from './fake-clock.ts';

backendContract('fake', async (root, installation) => {
  const backend = await createFakeBackend({ root, installation });
  return {
    backend,
    restarted: () => createFakeBackend({ root, installation }),
    real: false,
    signal: (handle) => backend.signal(handle),
    leftovers: async () => fakeLeftovers(root),
  };
});

test('under a virtual clock a long training takes no time and always the same course', async () => {
  const make = async (root: string) => {
    const again = () => createFakeBackend({ root, installation: INSTALLATION, clock: new VirtualClock() });
    const leftovers = async () => fakeLeftovers(root);
    return { backend: await again(), restarted: again, real: false, signal: async () => undefined, leftovers };
  };
  await ContractBench.run(make, async (bench) => {
    const steps = [
      startedStep(),
      { do: 'sleep', ms: 36_000_000 },
      { do: 'event', event: { type: 'x-later' } },
    ] as const;
    const limits = { memoryBytes: 1, maxSeconds: 72_000, diskBytes: 1 };
    const before = Date.now();
    const handles = await Promise.all(
      [1, 2].map(async () => bench.backend.start(await bench.work({ steps }, { limits }))),
    );
    const courses = await Promise.all(
      handles.map(async (handle) => {
        const exit = await bench.backend.wait(handle);
        const events = eventsOf((await collect(bench.backend, handle)).events);
        const hours = (Date.parse(String(events[1]?.['ts'])) - Date.parse(String(events[0]?.['ts']))) / 3_600_000;
        return [exit.kind, events.map((event) => event.type), hours];
      }),
    );
    assert.deepEqual(courses[0], ['exited', ['started', 'x-later'], 10]);
    assert.deepEqual(courses[1], courses[0]);
    assert.ok(Date.now() - before < 5000);
  });
});
