import { join } from 'node:path';

/** Below the time that somebody who pressed Ctrl-C is ready to wait. */
const GRACE_SECONDS = 8;

/**
 * After runner and validator have ended: no trainer goes on without them. Each saves and says `stopped`; the next start reads that as pre-empted and
 * goes on from the checkpoint. A runner that ends alone leaves its trainers running: it takes them up again.
 */
export async function endTrainers(runnerHome: string): Promise<void> {
  const [{ readIdentity }, { loadBackend }] = await Promise.all([
    import('@trainyard/runner'),
    import('@trainyard/runner/backends'),
  ]);
  for (const agent of ['runner', 'validator']) {
    const { installation } = await readIdentity(runnerHome, agent);
    const backend = await loadBackend('process', { root: join(runnerHome, 'process'), installation });
    const handles = await backend.find();
    await Promise.all(
      handles.map(async (handle) => {
        await backend.stop(handle, GRACE_SECONDS);
        await backend.wait(handle);
      }),
    );
  }
}
