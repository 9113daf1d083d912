import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ContractBench } from '../../testing/index.ts';
import { processesUnderTest } from '../../testing/process-backend-under-test.ts';
import { listGraphicsCards } from './graphics-cards.ts';
import { findWall, type FoundWall } from './try-wall.ts';

/** Where a graphics card is: it is offered and granted, and the trainer sees it, with and without a wall. */

const { cards } = await listGraphicsCards();
const skip = cards.length === 0 ? 'not run: no GPU' : false;
const found = await findWall('auto');
const walls: Readonly<Record<string, FoundWall>> = {
  bare: { wall: null, note: 'Switched off for this test.' },
  ...(found.wall === null ? {} : { walled: found }),
};

for (const [name, wall] of Object.entries(walls)) {
  test(`a graphics card is offered, granted and seen: ${name}`, { skip, timeout: 120_000 }, () =>
    ContractBench.run(processesUnderTest(wall), async (bench) => {
      const [offer] = await bench.backend.offers();
      const device = offer?.devices.find(({ kind }) => kind === 'cuda');
      const uuid = device?.uuids[0];
      assert.ok(device !== undefined && uuid !== undefined, JSON.stringify(offer?.notes));
      // Its arguments are: train --job <folder>.
      const wait = 'while [ ! -e "$2/go-on" ]; do sleep 0.05; done';
      const script = `nvidia-smi -L && echo "granted $CUDA_VISIBLE_DEVICES" && ${wait}`;
      const work = await bench.work({}, { device: { kind: 'cuda', uuids: [uuid] }, entrypoint: ['sh', '-c', script] });
      const handle = await bench.backend.start(work);
      const during = (await bench.backend.offers())[0]?.devices.flatMap(({ uuids }) => uuids) ?? [];
      await writeFile(join(work.jobFolder, 'go-on'), '');
      const exit = await bench.backend.wait(handle);
      const { output } = await bench.carryOut(work);
      assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 0], output.stderr.toString());
      assert.ok(output.stdout.toString().includes(uuid), output.stdout.toString());
      assert.ok(output.stdout.toString().includes(`granted ${uuid}`));
      assert.ok(!during.includes(uuid), 'a granted card is not offered again');
    }),
  );
}
