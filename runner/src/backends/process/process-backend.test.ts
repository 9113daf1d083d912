import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backendContract, folderNames } from '../../testing/index.ts';
import { createProcessBackend } from './process-backend.ts';

backendContract('process', async (root, installation) => {
  const make = () => createProcessBackend({ root, installation, sampleMs: 200, pollMs: 20 });
  return {
    backend: await make(),
    restarted: make,
    real: true,
    signal: async (handle) => {
      const pid = (await readFile(join(root, 'attempts', handle.name, '.run', 'pid'), 'utf8')).split(' ')[1];
      process.kill(Number(pid), 'SIGTERM');
    },
    leftovers: async () => [...(await folderNames(join(root, 'attempts'))), ...(await processesOf(root))],
  };
});

/** Whatever runs with a folder of this backend in its environment. */
async function processesOf(root: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
  return pids.filter((_, index) => texts[index]?.includes(`TMPDIR=${root}/`)).map((pid) => `process ${pid}`);
}
