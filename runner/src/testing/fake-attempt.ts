import type { JobSpec, Outcome, StoredArtifact } from '@trainyard/plugin-sdk';
import type { StopAsked } from '@trainyard/plugin-sdk/api';

/** What the fake hub is given and what it keeps of each attempt; tests read it directly. */

export interface FakeJob {
  readonly spec: JobSpec;
  readonly resume?: StoredArtifact | null;
  /** Bytes by hex digest that the attempt may download. */
  readonly inputs?: ReadonlyMap<string, Uint8Array>;
  readonly snapshot?: Uint8Array;
  /** It waits for an approval, and the agent that claimed it said that it has a wall. */
  readonly needsWall?: boolean;
}

export interface FakeArtifact {
  readonly kind: string;
  readonly path: string;
  readonly sha256: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
  readonly meta: Readonly<Record<string, unknown>>;
}

export interface FakeAttempt {
  readonly id: string;
  readonly job: string;
  readonly number: number;
  fence: number;
  readonly work: FakeJob;
  state: 'queued' | 'claimed' | 'gone' | 'finished';
  execution: string | null;
  renewedAt: number;
  renewals: number;
  stop: StopAsked | null;
  phases: { phase: string; sentence?: string; progress?: number }[];
  next: number;
  /** Lines in the order they were stored; a double or missing one would show here. */
  lines: string[];
  log: { stdout: Buffer; stderr: Buffer };
  artifacts: FakeArtifact[];
  outcome: Outcome | null;
  /** Lines that came again and were dropped. */
  repeated: number;
}
