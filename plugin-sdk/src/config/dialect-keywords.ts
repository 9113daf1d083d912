import { isObject } from './schema-shape.ts';

/** The closed keyword table of contract.md §4.1, less what security.md §4.1 forbids (`format`, `propertyNames`). */

export type Holds = 'schema' | 'schema-or-false' | 'list' | 'map' | 'value';

interface KeywordRule {
  readonly holds: Holds;
  /** What the value must be, for keywords that hold no sub-schema. */
  readonly expects?: string;
  readonly accepts?: (value: unknown) => boolean;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}
function isFlag(value: unknown): boolean {
  return typeof value === 'boolean';
}
function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText) && new Set(value).size === value.length;
}
export const TYPE_NAMES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
export function isTypeValue(value: unknown): boolean {
  if (typeof value === 'string') return TYPE_NAMES.includes(value);
  if (!isNames(value) || value.length !== 2) return false;
  return value[1] === 'null' && TYPE_NAMES.includes(value[0] ?? '') && value[0] !== 'null';
}

const text: KeywordRule = { holds: 'value', expects: 'a text', accepts: isText };
const number: KeywordRule = { holds: 'value', expects: 'a number', accepts: isNumber };
const count: KeywordRule = { holds: 'value', expects: 'a whole number from 0 up', accepts: isCount };
const flag: KeywordRule = { holds: 'value', expects: 'true or false', accepts: isFlag };
const names: KeywordRule = { holds: 'value', expects: 'a list of different names', accepts: isNames };
const anything: KeywordRule = { holds: 'value', expects: 'a value', accepts: () => true };

export const KEYWORDS: ReadonlyMap<string, KeywordRule> = new Map(
  Object.entries({
    type: { holds: 'value', expects: 'one type name, or [name, "null"]', accepts: isTypeValue },
    title: text,
    description: text,
    default: anything,
    const: anything,
    enum: {
      holds: 'value',
      expects: 'a list of values that is not empty',
      accepts: (value: unknown) => Array.isArray(value) && value.length > 0,
    },
    examples: { holds: 'value', expects: 'a list', accepts: (value: unknown) => Array.isArray(value) },
    deprecated: flag,
    readOnly: flag,
    properties: { holds: 'map' },
    required: names,
    additionalProperties: { holds: 'schema-or-false' },
    dependentRequired: {
      holds: 'value',
      expects: 'an object of lists of names',
      accepts: (value: unknown) => isObject(value) && Object.values(value).every(isNames),
    },
    dependentSchemas: { holds: 'map' },
    minProperties: count,
    maxProperties: count,
    items: { holds: 'schema' },
    prefixItems: { holds: 'list' },
    contains: { holds: 'schema' },
    minItems: count,
    maxItems: count,
    uniqueItems: flag,
    minimum: number,
    maximum: number,
    exclusiveMinimum: number,
    exclusiveMaximum: number,
    multipleOf: {
      holds: 'value',
      expects: 'a whole number above 0 (decimals use x-ui.step)',
      accepts: (value: unknown) => isCount(value) && value > 0,
    },
    minLength: count,
    maxLength: count,
    pattern: text,
    oneOf: { holds: 'list' },
    anyOf: { holds: 'list' },
    allOf: { holds: 'list' },
    not: { holds: 'schema' },
    if: { holds: 'schema' },
    then: { holds: 'schema' },
    else: { holds: 'schema' },
    $schema: {
      holds: 'value',
      expects: '"https://json-schema.org/draft/2020-12/schema"',
      accepts: (value: unknown) => value === 'https://json-schema.org/draft/2020-12/schema',
    },
    $defs: { holds: 'map' },
    $ref: text,
    'x-ui': { holds: 'value', expects: 'an object', accepts: isObject },
    'x-tasks': {
      holds: 'value',
      expects: 'a list of task ids',
      accepts: (value: unknown) => isNames(value) && value.length > 0,
    },
    'x-search': { holds: 'value', expects: 'an object', accepts: isObject },
    'x-renamed-from': names,
  } satisfies Record<string, KeywordRule>),
);

/** Keywords a sub-schema of `x-ui.when` may have. */
export const WHEN_KEYWORDS = new Set(['const', 'enum', 'not', 'minimum', 'maximum']);
/** Below these a default would be taken or not depending on other values. */
export const CONDITIONAL = new Set(['if', 'then', 'else', 'not', 'anyOf', 'oneOf', 'contains', 'dependentSchemas']);
export const ID_KEYWORDS = new Set([
  '$id',
  'id',
  '$anchor',
  '$dynamicAnchor',
  '$dynamicRef',
  '$recursiveAnchor',
  '$recursiveRef',
]);

const ALTERNATIVES: Readonly<Record<string, string>> = {
  $data: 'Compare fields with if/then, or write the bound as a number.',
  patternProperties: 'Use additionalProperties with a schema.',
  propertyNames: 'List the names under properties.',
  unevaluatedProperties: 'Use additionalProperties: false.',
  unevaluatedItems: 'Use items and maxItems.',
  format: 'Use pattern, or describe the form in x-ui.help.',
  definitions: 'Use $defs.',
  dependencies: 'Use dependentRequired or dependentSchemas.',
  $comment: 'Use description.',
  nullable: 'Use type: [T, "null"].',
  writeOnly: 'Remove it: settings are no place for secrets.',
};

export function alternativeTo(keyword: string): string {
  return (
    ALTERNATIVES[keyword] ?? 'Remove it; the allowed keywords are listed in the documentation of the config schema.'
  );
}
