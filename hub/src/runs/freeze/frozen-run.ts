import type { RunJobSpec } from '@trainyard/plugin-sdk';
import type { Preflight } from '@trainyard/plugin-sdk/api';
import type { ReleaseRow } from '../../trainers/find-release.ts';

/** Everything a run is started with, decided once and never changed. `spec` lacks only the id of the run. */
export interface FrozenRun {
  readonly release: ReleaseRow;
  readonly spec: Omit<RunJobSpec, 'run'>;
  readonly request: Record<string, unknown>;
  readonly preset: string | null;
  readonly snapshotId: string | null;
  readonly datasetName: string | null;
  readonly parent: string | null;
  readonly checkpointId: string | null;
  /** Set of uploaded pictures that predict looks at. */
  readonly pictures: string | null;
  readonly name: string;
}

export interface Freeze {
  readonly preflight: Preflight;
  readonly frozen: FrozenRun | null;
}
