import { createHash } from 'node:crypto';

/**
 * Pure: 80/20 by class, from a seed. A picture's place depends on its own path alone (hash of seed and path), never on the order of the upload, so adding
 * pictures does not shuffle the others. Every class with two pictures or more keeps at least one on each side.
 */
export function assignSplits<T>(
  items: readonly T[],
  keys: { class: (item: T) => string; path: (item: T) => string },
  seed: number,
  valShare = 0.2,
): Map<T, 'train' | 'val'> {
  const byClass = Map.groupBy(items, keys.class);
  const splits = new Map<T, 'train' | 'val'>();
  for (const group of byClass.values()) {
    const ranked = group
      .map((item) => ({
        item,
        rank: createHash('sha256')
          .update(`${seed}:${keys.path(item)}`)
          .digest('hex'),
      }))
      .sort((a, b) => (a.rank < b.rank ? -1 : 1));
    const val = ranked.length < 2 ? 0 : Math.min(ranked.length - 1, Math.max(1, Math.round(ranked.length * valShare)));
    ranked.forEach(({ item }, i) => splits.set(item, i < val ? 'val' : 'train'));
  }
  return splits;
}
