import { Problem } from '@trainyard/plugin-sdk';

export interface AttemptLimit {
  /** Counts one attempt; throws `rate-limited` when there were too many. */
  count(key: string, now: number): void;
  /** Forgets the key, after a success. */
  clear(key: string): void;
}

const MOST_KEYS = 20_000;

/** Fixed windows in memory: each hub counts for itself, a restart forgets. */
export function createAttemptLimit(most: number, windowMs: number): AttemptLimit {
  const seen = new Map<string, { count: number; until: number }>();
  return {
    count(key, now) {
      const found = seen.get(key);
      if (found === undefined || found.until <= now) {
        if (seen.size >= MOST_KEYS) for (const [old, { until }] of seen) if (until <= now) seen.delete(old);
        if (seen.size >= MOST_KEYS) seen.clear();
        seen.set(key, { count: 1, until: now + windowMs });
        return;
      }
      if (found.count >= most) {
        const seconds = Math.ceil((found.until - now) / 1000);
        throw new Problem('rate-limited', {
          detail: 'Too many attempts.',
          fix: `Wait ${seconds} seconds, then try again.`,
          extra: { retryAfter: seconds },
        });
      }
      found.count += 1;
    },
    clear(key) {
      seen.delete(key);
    },
  };
}
