import type { RunDetail } from '@trainyard/plugin-sdk/api';

type Checkpoint = RunDetail['checkpoints'][number];

/** The checkpoint to work on: the newest that was the best when it was saved, otherwise the newest. */
export function bestCheckpoint(checkpoints: readonly Checkpoint[]): Checkpoint | undefined {
  const ordered = [...checkpoints].sort((a, b) => a.step - b.step);
  return ordered.findLast((checkpoint) => checkpoint.kinds.includes('best')) ?? ordered.at(-1);
}
