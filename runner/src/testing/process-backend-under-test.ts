import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AttemptFolder } from '../backends/process/attempt-folder.ts';
import { createProcessBackend } from '../backends/process/process-backend.ts';
import { sendSignal, type ProcessIdentity } from '../backends/process/process-identity.ts';
import type { FoundWall } from '../backends/process/try-wall.ts';
import { trainerBehind } from '../backends/process/walled-trainer.ts';
import { folderNames, type MakeBackend } from './contract-bench.ts';

/** The process backend for the contract suite, with or without a wall. */
export function processesUnderTest(wall: FoundWall): MakeBackend {
  return async (root, installation) => {
    const make = () => createProcessBackend({ root, installation, sampleMs: 200, pollMs: 20, wall });
    const folderOf = (name: string): AttemptFolder => new AttemptFolder(join(root, 'attempts', name));
    const trainerOf = async (name: string): Promise<ProcessIdentity | null> => {
      const started = await folderOf(name).trainer();
      return started === null || wall.wall === null ? started : trainerBehind(started);
    };
    return {
      backend: await make(),
      restarted: make,
      real: true,
      signal: async (handle) => {
        const trainer = await trainerOf(handle.name);
        if (trainer !== null) sendSignal(trainer.pid, 'SIGTERM');
      },
      vanish: async (handle) => {
        const trainer = await trainerOf(handle.name);
        const shim = await folderOf(handle.name).shim();
        for (const process of [shim, trainer]) if (process !== null) sendSignal(process.pid, 'SIGKILL');
      },
      leftovers: async () => [...(await folderNames(join(root, 'attempts'))), ...(await processesOf(root))],
    };
  };
}

/** Whatever runs with a folder of this backend in its environment, or on its command line. */
async function processesOf(root: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return `${environment}\0${command}`;
    }),
  );
  return pids
    .filter((pid, index) => Number(pid) !== process.pid && texts[index]?.includes(`${root}/`))
    .map((pid) => `process ${pid}`);
}
