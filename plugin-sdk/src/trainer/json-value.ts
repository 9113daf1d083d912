/** Careful access to parsed JSON: the only place where `unknown` becomes a typed value. */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

export function objectAt(value: unknown, key: string): JsonObject | null {
  const item = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return isObject(item) ? item : null;
}

export function textAt(value: unknown, key: string): string | null {
  const item = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof item === 'string' ? item : null;
}

export function numberAt(value: unknown, key: string): number | null {
  const item = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof item === 'number' && Number.isFinite(item) ? item : null;
}

export function listAt(value: unknown, key: string): readonly unknown[] {
  const item = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return Array.isArray(item) ? item : [];
}

export function textsAt(value: unknown, key: string): string[] {
  return listAt(value, key).filter((item) => typeof item === 'string');
}

/** Text of the known word nearest to `word`, for hints. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = Infinity;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
