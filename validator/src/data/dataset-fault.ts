import type { TestData } from './test-data.ts';

/** One of the fifteen faults of contract.md §6.3, and what the trainer's answer must hold. */
export interface DatasetFault {
  readonly name: string;
  readonly says: string;
  /** The file that has to be named, or what stands for it. */
  readonly names: RegExp;
  /** Line in that file that should be named as well. */
  readonly line?: number;
  /** Cannot be put into one dataset with others. */
  readonly alone?: true;
  readonly put: (data: TestData) => TestData;
}

export function naming(path: string): RegExp {
  return new RegExp(path.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'));
}
