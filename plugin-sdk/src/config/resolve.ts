import { nearest } from './nearest.ts';
import { isObject, type Config, type ConfigSchema, type ConfigSubschema, type Json } from './schema-shape.ts';

/** Scoping and resolution of contract.md §4.7, without anything of Node: the form in the browser uses the same code as the hub. */

export type ConfigSource = 'user' | 'preset' | 'default';

export interface ConfigProblem {
  readonly pointer: string;
  readonly code: 'config.unknown_key' | 'config.out_of_scope';
  readonly message: string;
  readonly fix: string;
}

export interface ResolveInput {
  readonly schema: ConfigSchema;
  readonly task: string;
  readonly preset?: { readonly id?: string; readonly values: Config } | null;
  readonly values: Config;
}

export interface ResolvedValues {
  readonly config: Record<string, Json>;
  readonly sources: Record<string, ConfigSource>;
  readonly problems: readonly ConfigProblem[];
}

/** Whether a property exists for the task; without `x-tasks` it exists for all. */
export function inScope(property: ConfigSubschema, task: string): boolean {
  return property['x-tasks'] === undefined || property['x-tasks'].includes(task);
}

/** Keys of the properties that exist for the task, in the order of the schema. */
export function scopedKeys(schema: ConfigSchema, task: string): string[] {
  return Object.entries(schema.properties)
    .filter(([, property]) => inScope(property, task))
    .map(([key]) => key);
}

/** The default of every property in scope. */
export function defaultsFor(schema: ConfigSchema, task: string): Record<string, Json> {
  const defaults: Record<string, Json> = {};
  for (const key of scopedKeys(schema, task)) {
    const value = schema.properties[key]?.default;
    if (value !== undefined) defaults[key] = structuredClone(value);
  }
  return defaults;
}

/** Defaults, then the preset, then the user's values. Nothing is coerced or removed: keys that do not exist are problems and stay out of the config. */
export function resolveValues(input: ResolveInput): ResolvedValues {
  const { schema, task } = input;
  const config = defaultsFor(schema, task);
  const sources: Record<string, ConfigSource> = {};
  for (const key of Object.keys(config)) sources[key] = 'default';
  const keys = new Set(scopedKeys(schema, task));
  const problems: ConfigProblem[] = [];
  const layers: [ConfigSource, Config][] = [
    ['preset', input.preset?.values ?? {}],
    ['user', input.values],
  ];
  for (const [source, values] of layers) {
    for (const [key, value] of Object.entries(values)) {
      if (keys.has(key)) {
        config[key] = structuredClone(value);
        sources[key] = source;
      } else {
        problems.push(unknownKey(schema, task, key, keys, source));
      }
    }
  }
  return { config, sources, problems };
}

function unknownKey(
  schema: ConfigSchema,
  task: string,
  key: string,
  keys: ReadonlySet<string>,
  source: ConfigSource,
): ConfigProblem {
  const pointer = `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const from = source === 'preset' ? 'The preset sets' : 'There is';
  const property = Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
  if (property !== undefined) {
    return {
      pointer,
      code: 'config.out_of_scope',
      message: `The setting "${key}" does not exist for the task ${task}.`,
      fix: `Leave it out; it is for ${(property['x-tasks'] ?? []).join(', ')}.`,
    };
  }
  const renamed = Object.entries(schema.properties).find(([, known]) => known['x-renamed-from']?.includes(key));
  const near = renamed?.[0] ?? nearest(key, keys);
  return {
    pointer,
    code: 'config.unknown_key',
    message: source === 'preset' ? `${from} "${key}", which is no setting.` : `${from} no setting "${key}".`,
    fix: near === null ? 'Remove it, or look up the name in the settings reference.' : `Did you mean "${near}"?`,
  };
}

/** Moves values of settings that an earlier release called otherwise (`x-renamed-from`). Values under current names win. */
export function migrateRenamed(schema: ConfigSchema, values: Config): Record<string, Json> {
  const migrated: Record<string, Json> = { ...values };
  for (const [key, property] of Object.entries(schema.properties)) {
    for (const old of property['x-renamed-from'] ?? []) {
      const value = migrated[old];
      if (value === undefined || Object.hasOwn(schema.properties, old)) continue;
      if (!Object.hasOwn(migrated, key)) migrated[key] = value;
      delete migrated[old];
    }
  }
  return migrated;
}

const HOLDERS_OF_ONE = ['items', 'contains', 'not', 'if', 'then', 'else', 'additionalProperties'];
const HOLDERS_OF_MANY = ['properties', '$defs', 'dependentSchemas'];
const HOLDERS_OF_LISTS = ['oneOf', 'anyOf', 'allOf', 'prefixItems'];

/** A copy without `pattern`: the browser's engine may hang on one, so patterns are judged by the hub. For schemas that passed the dialect check. */
export function withoutPatterns<S extends ConfigSubschema>(schema: S): S {
  const strip = (value: unknown): unknown => (isObject(value) ? withoutPatterns(value) : value);
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, unknown][] => {
    if (keyword === 'pattern' && typeof value === 'string') return [];
    if (HOLDERS_OF_ONE.includes(keyword)) return [[keyword, strip(value)]];
    if (HOLDERS_OF_LISTS.includes(keyword) && Array.isArray(value)) return [[keyword, value.map(strip)]];
    if (HOLDERS_OF_MANY.includes(keyword) && isObject(value)) {
      return [[keyword, Object.fromEntries(Object.entries(value).map(([name, item]) => [name, strip(item)]))]];
    }
    return [[keyword, value]];
  });
  // The keys are those of S, less an optional one.
  return Object.fromEntries(entries) as S;
}

/** The schema as it is for one task: without the properties that do not exist there. */
export function scopedSchema(schema: ConfigSchema, task: string): ConfigSchema {
  const properties = Object.fromEntries(
    Object.entries(schema.properties).filter(([, property]) => inScope(property, task)),
  );
  // A required name that is no setting at all stays: nothing can satisfy it, and that is the author's to hear.
  const left = (key: string): boolean => Object.hasOwn(schema.properties, key) && !Object.hasOwn(properties, key);
  const required = schema['required'];
  const kept = Array.isArray(required) ? { required: required.filter((key) => !left(key)) } : {};
  return { ...schema, ...kept, properties };
}
