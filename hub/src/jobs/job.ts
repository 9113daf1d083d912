import type { JobKind, JobSpec, JobState, Outcome } from '@trainyard/plugin-sdk';
import type { StopAsked } from '@trainyard/plugin-sdk/api';
import type { Tx } from '../platform/transaction.ts';
import type { Decision, JobEvent } from './job-state.ts';

/** A job as its table holds it. */
export interface JobRow {
  readonly id: string;
  readonly kind: JobKind;
  readonly state: JobState;
  /** Id of whoever enqueued it: a run, a release, a bundled trainer. Opaque here. */
  readonly subject: string;
  readonly organization_id: string;
  readonly spec: JobSpec;
  readonly stop_asked: StopAsked | null;
  readonly tries: Decision['tries'];
  readonly disruptions: number;
  readonly next_number: number;
  readonly hold: string | null;
  readonly created_at: Date;
}

/**
 * What the owner of a job does when it moves. Called inside the transaction that moves it, once per step, in order. Changes rows only, no I/O.
 * `outcome` is there for the three terminal events and for `requeued`.
 */
export type JobFollower = (
  tx: Tx,
  job: JobRow,
  event: JobEvent,
  outcome: Outcome | null,
  decision: Decision | null,
) => Promise<void>;
/** One follower per kind: a new kind does not compile without. Filled in app.ts. */
export type JobFollowers = Readonly<Record<JobKind, JobFollower>>;
