import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The same loop as sdk_loop.py for the Node SDK: prints JSON {work, other} in microseconds of CPU per step. */

interface Writer {
  metric(split: string, step: number, epoch: number, values: Readonly<Record<string, number>>): void;
  progress(unit: string, current: number, total: number, eta: null): void;
}

/** The writer is inside the SDK that packages carry, not part of what authors import: taken from its file. */
async function openWriter(folder: string): Promise<Writer> {
  const file = new URL('../plugin-sdk/src/trainer/event-writer.ts', import.meta.url).href;
  const module = (await import(file)) as { EventWriter: new (folder: string) => Writer };
  return new module.EventWriter(folder);
}

const [mode = '', count = '', length = ''] = process.argv.slice(2);
const [steps, micros] = [Number(count), Number(length) * 1000];

function threadMicros(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
function spin(): number {
  const begun = threadMicros();
  let sum = 0;
  while (threadMicros() - begun < micros) for (let i = 0; i < 2000; i += 1) sum += i % 7;
  return sum;
}

const folder = mkdtempSync(join(tmpdir(), 'ty-bench-'));
const events = await openWriter(folder);
let work = 0;
const begun = process.cpuUsage();
for (let number = 1; number <= steps; number += 1) {
  const before = threadMicros();
  spin();
  work += threadMicros() - before;
  if (mode === 'calls') {
    events.metric('train', number, number / 100, { loss: 1 / number, learning_rate: 0.01 });
    events.progress('step', number, steps, null);
  }
}
const { user, system } = process.cpuUsage(begun);
console.log(JSON.stringify({ work: work / steps, other: (user + system - work) / steps }));
rmSync(folder, { recursive: true, force: true });
