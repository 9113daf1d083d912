/** PostgreSQL holds neither NUL nor half a surrogate pair, and trainers print both: they become U+FFFD before anything is stored. */
const RISKY = /\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

export function storableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/** A parsed JSON value with every string and key made storable. */
function storableValue(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(storableValue);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [storableText(key), storableValue(item)]));
}

/** JSON text whose strings can be stored. Text without such escapes, which is nearly all, is looked at once and not parsed. */
export function storableJson(text: string): string {
  if (!RISKY.test(text)) return text;
  try {
    return JSON.stringify(storableValue(JSON.parse(text)));
  } catch {
    return text;
  }
}
