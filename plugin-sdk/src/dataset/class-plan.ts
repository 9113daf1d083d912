/**
 * Pure: which classes a converted dataset has. Their order never changes. Pictures without a mask have no word for "nothing is here", masks need
 * one: a class called background is added at the end for masks, and taken out where regions become objects.
 */
import type { ClassEntry } from './labelled-item.ts';

const BACKGROUND = 'background';

export interface ClassPlan {
  readonly classes: readonly ClassEntry[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Index in the source of what is background; null when the source has none. */
  readonly from: number | null;
  /** Index that unlabelled pixels get in a mask. */
  readonly fill: number;
  /** New index of a class of the source; null = taken out. */
  index(old: number): number | null;
}

export function planClasses(classes: readonly ClassEntry[], way: 'same' | 'to-mask' | 'from-mask'): ClassPlan {
  const at = classes.findIndex(({ name }) => name.trim().toLowerCase() === BACKGROUND);
  const from = at < 0 ? null : at;
  const same = {
    classes,
    added: [],
    removed: [],
    from,
    fill: at < 0 ? classes.length : at,
    index: (old: number) => old,
  };
  if (way === 'to-mask' && from === null)
    return { ...same, classes: [...classes, { index: classes.length, name: BACKGROUND }], added: [BACKGROUND] };
  if (way !== 'from-mask' || from === null) return same;
  return {
    ...same,
    classes: classes.filter(({ index }) => index !== from).map((entry, index) => ({ ...entry, index })),
    removed: [BACKGROUND],
    index: (old) => (old === from ? null : old > from ? old - 1 : old),
  };
}
