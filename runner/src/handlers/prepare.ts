import type { Handler } from '../agent/agent.ts';
import type { PackageStore } from '../work/package-store.ts';
import { readTrainerPackage } from '../work/read-package.ts';
import type { EnvironmentStore } from './environment-store.ts';
import { packageDownload } from './open-inputs.ts';
import { outcomeOfPreparing } from './preparing-failure.ts';

export interface PrepareDeps {
  readonly packages: PackageStore;
  readonly environments: EnvironmentStore;
}

/** Builds the environment of a bundled package. Safe to repeat: what is ready is not built again. */
export function prepareHandler(deps: PrepareDeps): Handler {
  return async (work) => {
    const stopping = new AbortController();
    const unheard = work.stop.listen(() => stopping.abort('stop'));
    const signal = AbortSignal.any([work.signal, stopping.signal]);
    const digest = work.attempt.spec.release.packageDigest;
    try {
      await work.hub.begin(`environment of ${digest}`);
      await work.hub.phase({ phase: 'preparing', sentence: 'Loading the trainer', progress: 0 }).catch(() => undefined);
      const folder = await deps.packages.ensure(digest, packageDownload(work), signal);
      const trainer = await readTrainerPackage(folder, digest);
      await deps.environments.ensure(
        trainer,
        ({ sentence, progress }) => {
          const known = progress === undefined ? {} : { progress };
          void work.hub.phase({ phase: 'preparing', sentence, ...known }).catch(() => undefined);
        },
        signal,
      );
      return { state: 'succeeded' };
    } catch (error) {
      if (work.signal.aborted) throw error;
      if (stopping.signal.aborted) return { state: 'stopped', cause: 'cancelled' };
      const outcome = outcomeOfPreparing(error);
      if (outcome === null) throw error;
      return outcome;
    } finally {
      unheard();
    }
  };
}
