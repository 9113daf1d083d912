import { loadNet } from './net-files.ts';
import type { Network } from './network.ts';
import type { Run } from './trainer_sdk/index.ts';

/** The net that evaluate, predict and export work on, from a checkpoint. */
export function loadModel(run: Run): { net: Network; labels: readonly string[] } {
  return loadNet(run.source());
}
