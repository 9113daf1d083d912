import type { EnvironmentProgress as BuildProgress } from '../environments/python-environment.ts';
import { EnvironmentError, ensureEnvironment } from '../environments/python-environment.ts';
import { readyPackages } from '../environments/ready-packages.ts';
import { EnvironmentFailed, type EnvironmentStore } from './environment-store.ts';

/** Where each phase of a build begins and ends, as parts of the whole. */
const PARTS = { resolve: [0, 0.05], download: [0.05, 0.75], install: [0.75, 1] } as const;

/** Pure: a step of a build → 0 to 1. */
export function progressOf({
  phase,
  done,
  total,
  fraction,
}: Pick<BuildProgress, 'phase' | 'done' | 'total' | 'fraction'>): number {
  const [from, to] = PARTS[phase];
  const part = fraction ?? (total === 0 ? 0 : done / total);
  return from + (to - from) * Math.min(1, part);
}

/** Environments of this machine, for the process backend. */
export function openEnvironments(root: string): EnvironmentStore {
  return {
    async ensure({ digest, folder, manifest }, report, signal) {
      const { requires, setup } = manifest.local ?? {};
      const request = {
        root,
        release: `${manifest.name}@${manifest.version}`,
        packageDigest: digest,
        packageFolder: folder,
        ...(requires?.python === undefined ? {} : { requiresPython: requires.python }),
        ...(setup === undefined ? {} : { setup }),
      };
      // Phases may look backwards when downloads and installs overlap; a bar must not.
      let furthest = 0;
      try {
        return await ensureEnvironment(request, {
          signal,
          report: (step) => {
            furthest = Math.max(furthest, progressOf(step));
            report({ sentence: step.sentence, progress: furthest });
          },
        });
      } catch (error) {
        if (!(error instanceof EnvironmentError)) throw error;
        throw new EnvironmentFailed(error.message, error.hint, error.lines.join('\n'));
      }
    },
    ready: () => readyPackages(root),
  };
}
