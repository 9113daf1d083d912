import {
  inScope,
  type ConfigSchema,
  type ConfigSubschema,
  type Json,
  type JsonObject,
} from '@trainyard/plugin-sdk/config';

/** One wrong setting, and the key that the trainer must name. */
export interface WrongSetting {
  readonly name: 'unknown-key' | 'wrong-type' | 'out-of-range' | 'other-task';
  readonly key: string;
  readonly value: Json;
  readonly says: string;
}

const UNKNOWN_KEY = 'not_a_setting';

/** At most one of each sort, each on a key of its own, so that all can be tried at once. Pure. */
export function wrongSettings(schema: ConfigSchema, task: string): WrongSetting[] {
  const found: WrongSetting[] = [
    { name: 'unknown-key', key: UNKNOWN_KEY, value: 1, says: `the unknown setting "${UNKNOWN_KEY}"` },
  ];
  const properties = Object.entries(schema.properties).filter(([, property]) => inScope(property, task));
  const used = new Set<string>();
  for (const [key, property] of properties) {
    const value = beyond(property);
    if (value === null) continue;
    found.push({
      name: 'out-of-range',
      key,
      value,
      says: `"${key}" set to ${JSON.stringify(value)}, out of its range`,
    });
    used.add(key);
    break;
  }
  for (const [key, property] of properties) {
    const value = used.has(key) ? null : otherType(property);
    if (value === null) continue;
    found.push({ name: 'wrong-type', key, value, says: `"${key}" set to ${JSON.stringify(value)}, of the wrong type` });
    break;
  }
  const foreign = Object.entries(schema.properties).find(([, property]) => !inScope(property, task));
  if (foreign !== undefined) {
    const [key, property] = foreign;
    found.push({ name: 'other-task', key, value: property.default ?? 1, says: `"${key}", a setting of another task` });
  }
  return found;
}

export function withWrong(settings: JsonObject, wrong: readonly WrongSetting[]): JsonObject {
  return { ...settings, ...Object.fromEntries(wrong.map(({ key, value }) => [key, value])) };
}

function typesOf(property: ConfigSubschema): readonly string[] {
  if (property.enum !== undefined || property.const !== undefined) return [];
  return typeof property.type === 'string' ? [property.type] : (property.type ?? []);
}

function beyond(property: ConfigSubschema): Json | null {
  const types = typesOf(property);
  if (!types.includes('integer') && !types.includes('number')) return null;
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = property;
  if (typeof maximum === 'number') return maximum + 1;
  if (typeof minimum === 'number') return minimum - 1;
  if (typeof exclusiveMinimum === 'number') return exclusiveMinimum;
  return typeof exclusiveMaximum === 'number' ? exclusiveMaximum : null;
}

function otherType(property: ConfigSubschema): Json | null {
  const types = typesOf(property);
  if (types.length === 0) return null;
  return types.includes('string') ? (types.includes('object') ? null : { not: 'a text' }) : 'not a number';
}
