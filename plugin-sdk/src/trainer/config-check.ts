import { isObject, listAt, nearest, objectAt, type JsonObject } from './json-value.ts';

/** Checks a config against the contract's cut-down JSON Schema once more, inside the trainer. Nothing is coerced, nothing removed. */

export interface ConfigProblem {
  readonly code: 'config.invalid' | 'config.unknown_key';
  readonly key: string;
  readonly message: string;
  readonly hint: string;
}

/** Properties that exist for this task, in the order of the schema. */
export function propertiesFor(schema: JsonObject, task: string): Map<string, JsonObject> {
  const result = new Map<string, JsonObject>();
  for (const [key, value] of Object.entries(objectAt(schema, 'properties') ?? {})) {
    if (!isObject(value)) continue;
    const tasks = listAt(value, 'x-tasks');
    if (tasks.length === 0 || tasks.includes(task)) result.set(key, value);
  }
  return result;
}

export function checkConfig(schema: JsonObject, config: JsonObject, task: string): ConfigProblem[] {
  const known = propertiesFor(schema, task);
  const problems: ConfigProblem[] = [];
  for (const [key, value] of Object.entries(config)) {
    const property = known.get(key);
    if (property === undefined) {
      const near = nearest(key, [...known.keys()]);
      const hint = near === null ? `Remove "${key}".` : `Remove "${key}", or did you mean "${near}"?`;
      problems.push({
        code: 'config.unknown_key',
        key,
        message: `The config key "${key}" is not known for ${task}.`,
        hint,
      });
      continue;
    }
    const wrong = mismatch(property, value, schema, 0);
    if (wrong !== null) problems.push(invalid(key, wrong));
  }
  if (problems.length > 0) return problems;
  const filled = withDefaults(schema, config, task);
  const { properties: _properties, additionalProperties: _additional, ...rest } = schema;
  const wrong = mismatch(rest, filled, schema, 0);
  if (wrong !== null) {
    const key = [...known.keys()].find((name) => wrong.includes(`"${name}"`)) ?? '';
    problems.push(invalid(key, wrong));
  }
  return problems;
}

export function withDefaults(schema: JsonObject, config: JsonObject, task: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, property] of propertiesFor(schema, task)) {
    if (Object.hasOwn(config, key)) result[key] = config[key];
    else if (Object.hasOwn(property, 'default')) result[key] = property['default'];
  }
  return result;
}

function invalid(key: string, wrong: string): ConfigProblem {
  const where = key === '' ? 'The config' : `The config key "${key}"`;
  return {
    code: 'config.invalid',
    key,
    message: `${where} ${wrong}.`,
    hint: key === '' ? `It ${wrong}.` : `Change "${key}": it ${wrong}.`,
  };
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

function isType(value: unknown, type: unknown): boolean {
  if (type === 'integer') return typeof value === 'number' && Number.isSafeInteger(value);
  if (type === 'number') return typeof value === 'number' && Number.isFinite(value);
  return typeOf(value) === type;
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
  }
  return a === b;
}

/** What is wrong as the end of a sentence that begins with the key, or null. */
function mismatch(schema: unknown, value: unknown, root: JsonObject, depth: number): string | null {
  if (schema === true || !isObject(schema)) return schema === false ? 'is not allowed' : null;
  if (depth > 32) return 'is nested too deeply';
  const reference = schema['$ref'];
  if (typeof reference === 'string') {
    const target = objectAt(objectAt(root, '$defs'), reference.replace('#/$defs/', ''));
    const wrong = target === null ? null : mismatch(target, value, root, depth + 1);
    if (wrong !== null) return wrong;
  }
  const types = Array.isArray(schema['type']) ? schema['type'] : schema['type'] === undefined ? null : [schema['type']];
  if (types !== null && !types.some((type) => isType(value, type)))
    return `must be ${types.join(' or ')}, not ${typeOf(value)}`;
  if (Object.hasOwn(schema, 'const') && !same(schema['const'], value))
    return `must be ${JSON.stringify(schema['const'])}`;
  const choices = schema['enum'];
  if (Array.isArray(choices) && !choices.some((choice) => same(choice, value)))
    return `must be one of ${JSON.stringify(choices)}`;
  const simple =
    typeof value === 'number'
      ? numberMismatch(schema, value)
      : typeof value === 'string'
        ? textMismatch(schema, value)
        : Array.isArray(value)
          ? arrayMismatch(schema, value, root, depth)
          : isObject(value)
            ? objectMismatch(schema, value, root, depth)
            : null;
  return simple ?? logicMismatch(schema, value, root, depth);
}

function numberMismatch(schema: JsonObject, value: number): string | null {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (typeof minimum === 'number' && value < minimum) return `must be at least ${minimum}, not ${value}`;
  if (typeof maximum === 'number' && value > maximum) return `must be at most ${maximum}, not ${value}`;
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum)
    return `must be above ${exclusiveMinimum}, not ${value}`;
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum)
    return `must be below ${exclusiveMaximum}, not ${value}`;
  if (typeof multipleOf === 'number' && value % multipleOf !== 0)
    return `must be a multiple of ${multipleOf}, not ${value}`;
  return null;
}

function textMismatch(schema: JsonObject, value: string): string | null {
  const { minLength, maxLength, pattern } = schema;
  const length = [...value].length;
  if (typeof minLength === 'number' && length < minLength) return `must have at least ${minLength} characters`;
  if (typeof maxLength === 'number' && length > maxLength) return `must have at most ${maxLength} characters`;
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) return `must match ${pattern}`;
  return null;
}

function arrayMismatch(schema: JsonObject, value: readonly unknown[], root: JsonObject, depth: number): string | null {
  const { minItems, maxItems, uniqueItems, contains, items } = schema;
  if (typeof minItems === 'number' && value.length < minItems) return `must have at least ${minItems} entries`;
  if (typeof maxItems === 'number' && value.length > maxItems) return `must have at most ${maxItems} entries`;
  if (uniqueItems === true && value.some((item, at) => value.slice(0, at).some((other) => same(item, other)))) {
    return 'must not name an entry twice';
  }
  const prefix = listAt(schema, 'prefixItems');
  for (const [at, item] of value.entries()) {
    const wrong = mismatch(prefix[at] ?? items ?? true, item, root, depth + 1);
    if (wrong !== null) return `entry ${at} ${wrong}`;
  }
  if (contains !== undefined && !value.some((item) => mismatch(contains, item, root, depth + 1) === null)) {
    return 'lacks a required entry';
  }
  return null;
}

function objectMismatch(schema: JsonObject, value: JsonObject, root: JsonObject, depth: number): string | null {
  const properties = objectAt(schema, 'properties') ?? {};
  const keys = Object.keys(value);
  for (const key of listAt(schema, 'required')) {
    if (typeof key === 'string' && !Object.hasOwn(value, key)) return `lacks "${key}"`;
  }
  if (typeof schema['minProperties'] === 'number' && keys.length < schema['minProperties'])
    return 'has too few entries';
  if (typeof schema['maxProperties'] === 'number' && keys.length > schema['maxProperties'])
    return 'has too many entries';
  for (const key of keys) {
    const own = Object.hasOwn(properties, key);
    const wrong = mismatch(
      own ? properties[key] : (schema['additionalProperties'] ?? true),
      value[key],
      root,
      depth + 1,
    );
    if (wrong !== null) return `"${key}" ${wrong}`;
    if (mismatch(schema['propertyNames'] ?? true, key, root, depth + 1) !== null)
      return `has the entry "${key}", a name that is not allowed`;
  }
  for (const [key, needs] of Object.entries(objectAt(schema, 'dependentRequired') ?? {})) {
    const lacking =
      Array.isArray(needs) && Object.hasOwn(value, key)
        ? needs.find((need) => !Object.hasOwn(value, String(need)))
        : undefined;
    if (lacking !== undefined) return `lacks "${String(lacking)}", which "${key}" needs`;
  }
  for (const [key, sub] of Object.entries(objectAt(schema, 'dependentSchemas') ?? {})) {
    const wrong = Object.hasOwn(value, key) ? mismatch(sub, value, root, depth + 1) : null;
    if (wrong !== null) return wrong;
  }
  return null;
}

function logicMismatch(schema: JsonObject, value: unknown, root: JsonObject, depth: number): string | null {
  const matches = (sub: unknown): boolean => mismatch(sub, value, root, depth + 1) === null;
  const { oneOf, anyOf, not } = schema;
  if (Array.isArray(oneOf) && oneOf.filter(matches).length !== 1) return choicesOf(oneOf);
  if (Array.isArray(anyOf) && !anyOf.some(matches)) return choicesOf(anyOf);
  if (not !== undefined && matches(not)) return 'has a value that is ruled out';
  for (const sub of listAt(schema, 'allOf')) {
    const wrong = mismatch(sub, value, root, depth + 1);
    if (wrong !== null) return wrong;
  }
  if (schema['if'] === undefined) return null;
  return mismatch((matches(schema['if']) ? schema['then'] : schema['else']) ?? true, value, root, depth + 1);
}

function choicesOf(branches: readonly unknown[]): string {
  const constants = branches.filter(isObject).filter((branch) => Object.hasOwn(branch, 'const'));
  if (constants.length === branches.length)
    return `must be one of ${JSON.stringify(constants.map((branch) => branch['const']))}`;
  return 'must match exactly one of the allowed forms';
}
