import type { TaskId } from '@trainyard/plugin-sdk';

/** What a probe model has to reach on parts on a belt, by our own metric; chance is far below. */
export const FLOORS: Readonly<Record<TaskId, { readonly name: string; readonly floor: number }>> = {
  classify: { name: 'top1', floor: 0.8 },
  detect: { name: 'map50', floor: 0.3 },
  segment: { name: 'mask_map50', floor: 0.25 },
  semantic: { name: 'miou', floor: 0.45 },
  pose: { name: 'pose_map50', floor: 0.2 },
  obb: { name: 'map50', floor: 0.25 },
};

/** Seconds on a quiet core. */
export const TIME_BOX = 180;
