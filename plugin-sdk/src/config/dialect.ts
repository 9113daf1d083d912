import type { Finding } from '../finding.ts';
import { alternativeTo, CONDITIONAL, ID_KEYWORDS, KEYWORDS, WHEN_KEYWORDS } from './dialect-keywords.ts';
import { refFindings, type Unit } from './dialect-refs.ts';
import { schemaFinding, step, valueFindings } from './dialect-values.ts';
import { parseJsonText } from './json-profile.ts';
import { nearest } from './nearest.ts';
import { ruleFindings } from './dialect-rules.ts';
import { isObject, type ConfigSchema } from './schema-shape.ts';

export const SCHEMA_LIMITS = {
  bytes: 64 * 1024,
  /** Of the JSON text: a sub-schema lies two levels below its parent. */
  textDepth: 40,
  nodes: 20_000,
  depth: 16,
  properties: 200,
  findings: 50,
} as const;
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);

interface Visit {
  readonly schema: unknown;
  readonly pointer: string;
  readonly depth: number;
  /** Root, or the entry of $defs it belongs to. */
  readonly unit: Unit;
  readonly conditional: boolean;
  /** Inside x-ui.when only few keywords make sense. */
  readonly condition: boolean;
}

/** Every rule of contract.md §4.1 and security.md §4.1 that needs no compiler. Never throws, never recurses, never runs what it reads. */
export function checkDialect(text: string): Finding[] {
  const parsed = parseConfigSchema(text);
  return 'findings' in parsed ? parsed.findings : [];
}

/** The schema when it keeps to the dialect, else what is wrong with it. */
export function parseConfigSchema(text: string): { schema: ConfigSchema } | { findings: Finding[] } {
  const bytes = Buffer.byteLength(text);
  if (bytes > SCHEMA_LIMITS.bytes) {
    const message = `The schema has ${bytes} bytes; ${SCHEMA_LIMITS.bytes} are allowed.`;
    return {
      findings: [schemaFinding('schema-too-large', '', message, 'Shorten texts and share parts through $defs.')],
    };
  }
  const parsed = parseJsonText(text, {
    file: 'config.schema.json',
    depth: SCHEMA_LIMITS.textDepth,
    nodes: SCHEMA_LIMITS.nodes,
    check: 'schema-invalid',
    deepCheck: 'schema-too-deep',
    nameCheck: 'schema-name',
  });
  if ('findings' in parsed) return parsed;
  const findings = walk(parsed.value);
  return findings.length > 0 ? { findings } : { schema: asConfigSchema(parsed.value) };
}

// The walker has just judged every part of it.
function asConfigSchema(value: unknown): ConfigSchema {
  return value as ConfigSchema;
}

function walk(root: unknown): Finding[] {
  const findings: Finding[] = [];
  const rootUnit: Unit = { name: '', size: 0, refs: [] };
  const units: Unit[] = [rootUnit];
  const stack: Visit[] = [
    { schema: root, pointer: '', depth: 1, unit: rootUnit, conditional: false, condition: false },
  ];
  let tooDeep = false;
  for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
    if (findings.length >= SCHEMA_LIMITS.findings) return findings;
    visit.unit.size++;
    if (visit.depth > SCHEMA_LIMITS.depth) {
      if (!tooDeep) {
        const message = `Sub-schemas are nested deeper than ${SCHEMA_LIMITS.depth}.`;
        findings.push(
          schemaFinding('schema-too-deep', visit.pointer, message, 'Flatten the settings; group them with x-ui.group.'),
        );
      }
      tooDeep = true;
      continue;
    }
    if (!isObject(visit.schema)) {
      findings.push(
        schemaFinding('schema-invalid', visit.pointer, 'A schema must be an object.', 'Write {"type": …}.'),
      );
      continue;
    }
    const children: Visit[] = [];
    for (const [keyword, value] of Object.entries(visit.schema)) {
      visitKeyword(visit, keyword, value, children, findings, units);
    }
    if (!visit.condition) findings.push(...ruleFindings(visit.schema, visit.pointer));
    // Reversed, so that findings come in the order of the file.
    stack.push(...children.reverse());
  }
  if (findings.length === 0) findings.push(...refFindings(units));
  return findings;
}

function visitKeyword(
  visit: Visit,
  keyword: string,
  value: unknown,
  children: Visit[],
  findings: Finding[],
  units: Unit[],
): void {
  const pointer = `${visit.pointer}/${step(keyword)}`;
  const rule = KEYWORDS.get(keyword);
  const rootOnly = (keyword === '$defs' || keyword === '$schema') && visit.pointer !== '';
  if (ID_KEYWORDS.has(keyword)) {
    findings.push(
      schemaFinding(
        'schema-id',
        pointer,
        `The keyword ${keyword} is not allowed.`,
        'Remove it: the hub names schemas itself.',
      ),
    );
    return;
  }
  if (rule === undefined || rootOnly || (visit.condition && !WHEN_KEYWORDS.has(keyword))) {
    const near = rule === undefined && keyword.length < 64 ? nearest(keyword, KEYWORDS.keys()) : null;
    const fix = near === null ? alternativeTo(keyword) : `${alternativeTo(keyword)} Did you mean "${near}"?`;
    const where = rootOnly ? ' below the root' : visit.condition ? ' in x-ui.when' : '';
    findings.push(
      schemaFinding('schema-forbidden', pointer, `The keyword "${keyword.slice(0, 80)}" is not allowed${where}.`, fix),
    );
    return;
  }
  if (rule.accepts !== undefined && !rule.accepts(value)) {
    findings.push(
      schemaFinding(
        'schema-invalid',
        pointer,
        `"${keyword}" must be ${rule.expects ?? 'different'}.`,
        'Correct the value.',
      ),
    );
    return;
  }
  const conditional = visit.conditional || CONDITIONAL.has(keyword);
  const child = (schema: unknown, at: string, unit = visit.unit): Visit => ({
    schema,
    pointer: at,
    depth: visit.depth + 1,
    unit,
    conditional,
    condition: visit.condition,
  });
  switch (rule.holds) {
    case 'schema':
      children.push(child(value, pointer));
      return;
    case 'schema-or-false':
      if (value !== false) children.push(child(value, pointer));
      return;
    case 'list':
      if (!Array.isArray(value) || value.length === 0) {
        findings.push(
          schemaFinding('schema-invalid', pointer, `"${keyword}" must be a list of schemas.`, 'Correct the value.'),
        );
        return;
      }
      value.forEach((item: unknown, i) => children.push(child(item, `${pointer}/${i}`)));
      return;
    case 'map':
      visitMap(keyword, value, pointer, child, children, findings, units);
      return;
    case 'value':
      break;
  }
  if (keyword === 'default' && visit.conditional) {
    findings.push(
      schemaFinding(
        'schema-forbidden',
        pointer,
        'A default inside a condition or branch is not allowed.',
        'Move it to the property itself.',
      ),
    );
  }
  if (keyword === '$ref' && typeof value === 'string') visit.unit.refs.push({ target: value, pointer });
  if (keyword === 'x-ui' && isObject(value) && isObject(value['when'])) {
    for (const [name, schema] of Object.entries(value['when'])) {
      children.push({ ...child(schema, `${pointer}/when/${step(name)}`), conditional: true, condition: true });
    }
  }
  findings.push(...valueFindings(keyword, value, pointer));
}

function visitMap(
  keyword: string,
  value: unknown,
  pointer: string,
  child: (schema: unknown, at: string, unit?: Unit) => Visit,
  children: Visit[],
  findings: Finding[],
  units: Unit[],
): void {
  if (!isObject(value)) {
    findings.push(
      schemaFinding('schema-invalid', pointer, `"${keyword}" must be an object of schemas.`, 'Correct the value.'),
    );
    return;
  }
  const entries = Object.entries(value);
  if (entries.length > SCHEMA_LIMITS.properties) {
    const message = `"${keyword}" has ${entries.length} entries; ${SCHEMA_LIMITS.properties} are allowed.`;
    findings.push(schemaFinding('schema-too-large', pointer, message, 'Leave out settings nobody changes.'));
    return;
  }
  for (const [name, schema] of entries) {
    const at = `${pointer}/${step(name)}`;
    if (!NAME.test(name) || RESERVED.has(name)) {
      const fix =
        'Begin with a letter; use letters, digits, "_", "." and "-", 64 at most; never a name of the language itself.';
      findings.push(schemaFinding('schema-name', at, `The name "${name.slice(0, 80)}" is not accepted.`, fix));
      continue;
    }
    if (keyword !== '$defs') {
      children.push(child(schema, at));
      continue;
    }
    const unit: Unit = { name, size: 0, refs: [] };
    units.push(unit);
    children.push(child(schema, at, unit));
  }
}
