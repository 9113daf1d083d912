/** Where two JSON values differ first, in the order of the second; texts are cut for people. */
export interface Difference {
  readonly pointer: string;
  readonly is: string;
  readonly should: string;
}

export function firstDifference(is: unknown, should: unknown, pointer = ''): Difference | null {
  if (Array.isArray(is) && Array.isArray(should)) {
    for (let at = 0; at < Math.max(is.length, should.length); at += 1) {
      const found = firstDifference(is[at], should[at], `${pointer}/${at}`);
      if (found !== null) return found;
    }
    return null;
  }
  if (isRecord(is) && isRecord(should)) {
    for (const key of new Set([...Object.keys(should), ...Object.keys(is)])) {
      const step = key.replaceAll('~', '~0').replaceAll('/', '~1');
      const found = firstDifference(is[key], should[key], `${pointer}/${step}`);
      if (found !== null) return found;
    }
    return null;
  }
  return Object.is(is, should) ? null : { pointer, is: show(is), should: show(should) };
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 120);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
