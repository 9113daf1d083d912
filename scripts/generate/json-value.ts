/** JSON as the generators build it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A TypeBox schema without what it carries for TypeScript only. */
export function plain(schema: object): JsonObject {
  const value: unknown = JSON.parse(JSON.stringify(schema));
  if (!isJsonObject(value)) throw new TypeError('a schema is a JSON object');
  return value;
}

export function jsonText(value: Json): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
