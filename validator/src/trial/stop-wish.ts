import type { AnyEvent } from '@trainyard/plugin-sdk';

/** When and how a trial is to be interrupted. */
export interface StopWish {
  readonly how: 'stop' | 'kill';
  /** Asked at every event; true once is enough. */
  readonly at?: (event: AnyEvent) => boolean;
  /** A file of this name appears in checkpoints/: no event tells of that. */
  readonly file?: RegExp;
  /** Which time it appears; 1 when absent. */
  readonly after?: number;
}
