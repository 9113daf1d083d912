import type { Finding } from '../finding.ts';
import { schemaFinding, step } from './dialect-values.ts';
import { isObject } from './schema-shape.ts';

const MAX_BRANCHES = 8;
const MAX_CONSTANTS = 500;
const MAX_UNIQUE = 1000;
const MAX_PATTERN_TEXT = 4096;

/** Rules about keywords standing together in one schema; the root has more of them. */
export function ruleFindings(schema: Record<string, unknown>, pointer: string): Finding[] {
  const findings = [...typeRules(schema, pointer), ...logicRules(schema, pointer)];
  if (pointer === '') findings.push(...rootRules(schema));
  return findings;
}

function types(schema: Record<string, unknown>): readonly unknown[] {
  const type = schema['type'];
  return Array.isArray(type) ? type : type === undefined ? [] : [type];
}

function typeRules(schema: Record<string, unknown>, pointer: string): Finding[] {
  const findings: Finding[] = [];
  const own = types(schema);
  const maxItems = schema['maxItems'];
  const fixed = 'const' in schema || 'enum' in schema;
  if (own.includes('array') && typeof maxItems !== 'number' && !fixed) {
    findings.push(schemaFinding('schema-invalid', pointer, 'A list has no maxItems.', 'Add "maxItems".'));
  }
  if (schema['uniqueItems'] === true && (typeof maxItems !== 'number' || maxItems > MAX_UNIQUE)) {
    const message = `uniqueItems needs maxItems of at most ${MAX_UNIQUE}.`;
    findings.push(schemaFinding('schema-too-complex', pointer, message, 'Lower maxItems or leave uniqueItems out.'));
  }
  const maxLength = schema['maxLength'];
  if ('pattern' in schema && (typeof maxLength !== 'number' || maxLength > MAX_PATTERN_TEXT)) {
    const message = `A pattern needs maxLength of at most ${MAX_PATTERN_TEXT} beside it.`;
    findings.push(schemaFinding('schema-pattern', pointer, message, 'Add "maxLength".'));
  }
  if ('multipleOf' in schema && !own.includes('integer')) {
    const fix = 'Set "type": "integer", or use x-ui.step for decimals.';
    findings.push(
      schemaFinding('schema-invalid', pointer, 'multipleOf stands on something other than an integer.', fix),
    );
  }
  for (const [low, high] of [
    ['minimum', 'maximum'],
    ['minLength', 'maxLength'],
    ['minItems', 'maxItems'],
    ['minProperties', 'maxProperties'],
  ] as const) {
    const from = schema[low];
    const to = schema[high];
    if (typeof from === 'number' && typeof to === 'number' && from > to) {
      findings.push(
        schemaFinding('schema-invalid', pointer, `${low} is above ${high}.`, 'Swap or correct the bounds.'),
      );
    }
  }
  return [...findings, ...searchRules(schema, pointer)];
}

function searchRules(schema: Record<string, unknown>, pointer: string): Finding[] {
  const search = schema['x-search'];
  if (!isObject(search)) return [];
  const at = `${pointer}/x-search`;
  const { low, high } = search;
  if (Array.isArray(search['choices']) && low === undefined) return [];
  if (typeof low !== 'number' || typeof high !== 'number' || low >= high) {
    const fix = 'Write {"low": 0.0001, "high": 0.1} or {"choices": […]}.';
    return [schemaFinding('schema-invalid', at, 'x-search has neither a range nor choices.', fix)];
  }
  const bounds = [schema['minimum'], schema['exclusiveMinimum'], schema['maximum'], schema['exclusiveMaximum']];
  const [min, above, max, below] = bounds.map((bound) => (typeof bound === 'number' ? bound : null));
  const outside =
    (min != null && low < min) ||
    (above != null && low <= above) ||
    (max != null && high > max) ||
    (below != null && high >= below);
  return outside
    ? [schemaFinding('schema-invalid', at, 'The search range lies outside the allowed range.', 'Narrow it.')]
    : [];
}

function logicRules(schema: Record<string, unknown>, pointer: string): Finding[] {
  const findings: Finding[] = [];
  if (('then' in schema || 'else' in schema) && !('if' in schema)) {
    findings.push(schemaFinding('schema-invalid', pointer, 'then or else stands without if.', 'Add the if.'));
  }
  const allOf = schema['allOf'];
  if (Array.isArray(allOf) && !allOf.every((item) => isObject(item) && 'if' in item)) {
    const fix = 'Write the keywords directly into the schema; allOf only holds several if.';
    findings.push(schemaFinding('schema-forbidden', `${pointer}/allOf`, 'allOf holds something other than if.', fix));
  }
  const oneOf = schema['oneOf'];
  if (!Array.isArray(oneOf)) return findings;
  const at = `${pointer}/oneOf`;
  const constants = oneOf.filter((item) => isObject(item) && 'const' in item);
  if (constants.length === oneOf.length) {
    if (oneOf.length > MAX_CONSTANTS) {
      const message = `oneOf has ${oneOf.length} constants; ${MAX_CONSTANTS} are allowed.`;
      findings.push(schemaFinding('schema-too-large', at, message, 'Take a text with a pattern instead.'));
    }
    const untitled = oneOf.findIndex((item) => isObject(item) && typeof item['title'] !== 'string');
    if (untitled !== -1) {
      const fix = 'Give each constant a title, or use enum.';
      findings.push(schemaFinding('schema-invalid', `${at}/${untitled}`, 'A constant has no title.', fix));
    }
    return findings;
  }
  if (oneOf.length > MAX_BRANCHES) {
    const message = `oneOf has ${oneOf.length} branches; ${MAX_BRANCHES} are allowed.`;
    findings.push(schemaFinding('schema-too-complex', at, message, 'Use fewer branches, or titled constants.'));
  }
  const untyped = oneOf.findIndex(
    (item) => isObject(item) && !('type' in item) && !('const' in item) && !('enum' in item) && !('$ref' in item),
  );
  if (untyped !== -1) {
    findings.push(
      schemaFinding('schema-invalid', `${at}/${untyped}`, 'A branch of oneOf has no type.', 'Add its type.'),
    );
  }
  return findings;
}

function rootRules(schema: Record<string, unknown>): Finding[] {
  const findings: Finding[] = [];
  if (schema['type'] !== 'object') {
    findings.push(schemaFinding('schema-invalid', '/type', 'The root is not an object.', 'Set "type": "object".'));
  }
  if (schema['additionalProperties'] !== false) {
    const fix = 'Set "additionalProperties": false.';
    findings.push(schemaFinding('schema-invalid', '/additionalProperties', 'The root takes unknown settings.', fix));
  }
  const properties = schema['properties'];
  if (!isObject(properties)) {
    findings.push(schemaFinding('schema-invalid', '/properties', 'The root has no properties.', 'Add "properties".'));
    return findings;
  }
  for (const [name, property] of Object.entries(properties)) {
    if (!isObject(property) || 'default' in property) continue;
    const fix = 'Add "default"; null is allowed with "type": [T, "null"].';
    const pointer = `/properties/${step(name)}`;
    findings.push(schemaFinding('defaults-valid', pointer, `The setting "${name}" has no default.`, fix));
  }
  return findings;
}
