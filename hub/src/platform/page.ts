import { Problem } from '@trainyard/plugin-sdk';

/** Keyset cursors: the key of the last row as opaque text. Not secret: they hold only what the page already showed. */
export function encodeCursor(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}
export function decodeCursor(text: string | undefined, parts: number): (string | number)[] | null {
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (
      Array.isArray(value) &&
      value.length === parts &&
      value.every((item) => typeof item === 'string' || typeof item === 'number')
    )
      return value;
  } catch {
    // falls through
  }
  throw new Problem('bad-request', {
    detail: 'The cursor is not one of ours.',
    fix: 'Take `next` of the previous page as it is.',
  });
}
export function pageOf<T>(
  rows: readonly T[],
  limit: number,
  keyOf: (row: T) => readonly (string | number)[],
): { items: T[]; next: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
}
