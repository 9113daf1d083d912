import type { DatasetPlan } from './tiny-dataset.ts';

/** One fault of contract.md §6.3, and the word that the trainer's answer must hold. */
export interface DatasetFault {
  readonly name: 'undecodable-image' | 'missing-image' | 'empty-split' | 'absent-class';
  readonly names: RegExp;
  readonly says: string;
  readonly put: (plan: DatasetPlan) => DatasetPlan;
}

const BROKEN = 'train/bolt/001.png';
const MISSING = 'train/nut/002.png';
const ABSENT = 'screw';

export const DATASET_FAULTS: readonly DatasetFault[] = [
  {
    name: 'undecodable-image',
    names: /train\/bolt\/001\.png/,
    says: `a picture that cannot be decoded (${BROKEN})`,
    put: (plan) => ({ ...plan, files: new Map([...plan.files, [BROKEN, Buffer.from('This is not a picture.')]]) }),
  },
  {
    name: 'missing-image',
    names: /train\/nut\/002\.png/,
    says: `a listed picture that is missing (${MISSING})`,
    put: (plan) => ({ ...plan, files: new Map([...plan.files].filter(([path]) => path !== MISSING)) }),
  },
  {
    name: 'empty-split',
    names: /\bval\b/,
    says: 'the split "val" without any picture',
    put: (plan) => ({
      ...plan,
      files: new Map([...plan.files].filter(([path]) => !path.startsWith('val/'))),
      splits: { ...plan.splits, val: [] },
    }),
  },
  {
    name: 'absent-class',
    names: /screw/,
    says: `the class "${ABSENT}" without any picture in train`,
    put: (plan) => ({ ...plan, classes: [...plan.classes, ABSENT] }),
  },
];

/** Throws when the pictures that the faults name are not in the plan: the faults would be none. */
export function withFaults(plan: DatasetPlan, faults: readonly DatasetFault[]): DatasetPlan {
  for (const path of [BROKEN, MISSING]) {
    if (!plan.files.has(path)) throw new Error(`the test data has no ${path}`);
  }
  return faults.reduce((broken, fault) => fault.put(broken), plan);
}
