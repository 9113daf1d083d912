/** The text of a COCO file as loosely as it is met: every entry is looked at by hand, nothing is believed. */

export interface CocoFile {
  readonly images: readonly Entry[];
  readonly annotations: readonly Entry[];
  readonly categories: readonly Entry[];
}
export type Entry = Readonly<Record<string, unknown>>;

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Null when it is not a COCO file. Entries that are no objects become empty, so that positions stay. */
export function parseCoco(text: string): CocoFile | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isEntry(value) || !Array.isArray(value['images']) || !Array.isArray(value['categories'])) return null;
  function entries(list: unknown): Entry[] {
    return Array.isArray(list) ? list.map((entry: unknown) => (isEntry(entry) ? entry : {})) : [];
  }
  return {
    images: entries(value['images']),
    annotations: entries(value['annotations']),
    categories: entries(value['categories']),
  };
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Null unless every entry is a number; NaN and Infinity cannot be written in JSON, huge ones become Infinity. */
export function numbersOf(value: unknown): number[] | null {
  if (!Array.isArray(value)) return null;
  const numbers = value.filter((entry: unknown) => typeof entry === 'number');
  return numbers.length === value.length ? numbers : null;
}

export function entryOf(value: unknown): Entry | null {
  return isEntry(value) ? value : null;
}
