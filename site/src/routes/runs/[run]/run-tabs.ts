import type { RunDetail } from '@trainyard/plugin-sdk/api';

export type RunTab = 'metrics' | 'settings' | 'log' | 'checkpoints' | 'exports' | 'predict';

/** Parts of the page, the first one shown unless another is asked for: a training has all, a run on its checkpoints only what it makes. */
export function tabsOf({ run, can }: RunDetail): readonly [RunTab, ...RunTab[]] {
  if (run.verb === 'export') return ['exports', 'settings', 'log'];
  if (run.verb !== 'train') return ['metrics', 'settings', 'log'];
  return ['metrics', 'settings', 'log', 'checkpoints', 'exports', ...(can.predict ? (['predict'] as const) : [])];
}
