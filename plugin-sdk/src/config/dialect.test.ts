import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkDialect } from './dialect.ts';
import { checkUi } from './ui-check.ts';
import { parseConfigSchema } from './dialect.ts';
import { patternProblem } from './linear-pattern.ts';

const root = { type: 'object', additionalProperties: false };
function withProperty(property: unknown, rest: object = {}): string {
  return JSON.stringify({ ...root, properties: { lr0: property }, ...rest });
}
function checks(text: string): string[] {
  const findings = checkDialect(text);
  for (const finding of findings) assert.ok(finding.fix.length > 0 && finding.message.length > 0);
  return [...new Set(findings.map((finding) => finding.check))];
}

const number = { type: 'number', default: 1 };
const text = { type: 'string', maxLength: 20, default: '' };
const GOOD: readonly (readonly [string, string])[] = [
  [
    'a number',
    withProperty({ type: 'number', minimum: 0, maximum: 1, default: 0.5, title: 'Rate', 'x-ui': { group: 'basic' } }),
  ],
  ['null allowed', withProperty({ type: ['integer', 'null'], multipleOf: 32, default: null })],
  ['titled constants', withProperty({ oneOf: [{ const: 'a', title: 'A' }], default: 'a' })],
  ['typed branches', withProperty({ oneOf: [{ type: 'integer' }, { const: 'auto' }], default: 'auto' })],
  ['a list', withProperty({ type: 'array', maxItems: 3, items: { type: 'number' }, default: [] })],
  ['a pattern', withProperty({ ...text, pattern: '^[a-z]+$' })],
  ['a reference', withProperty({ $ref: '#/$defs/a', default: 1 }, { $defs: { a: { type: 'integer' } } })],
  [
    'conditions',
    withProperty(number, { allOf: [{ if: { properties: { lr0: { const: 1 } } }, then: { required: ['lr0'] } }] }),
  ],
  ['when', withProperty({ ...number, 'x-ui': { when: { lr0: { not: { const: 2 } } } } })],
  ['a search range', withProperty({ ...number, minimum: 0, 'x-search': { low: 0.1, high: 0.5, log: true } })],
];
const BAD: readonly (readonly [string, string, string])[] = [
  ['schema-invalid', 'no JSON', '{'],
  ['schema-invalid', 'a wrong type', withProperty({ type: 'int', default: 1 })],
  ['schema-invalid', 'a duplicate key', '{"type":"object","type":"object"}'],
  ['schema-invalid', 'an array as root', '[]'],
  ['schema-invalid', 'an open root', JSON.stringify({ type: 'object', properties: {} })],
  ['schema-invalid', 'a list without maxItems', withProperty({ type: 'array', default: [] })],
  ['schema-invalid', 'multipleOf on decimals', withProperty({ ...number, multipleOf: 2 })],
  ['schema-invalid', 'then without if', withProperty({ ...number, then: {} })],
  ['schema-invalid', 'crossed bounds', withProperty({ ...number, minimum: 2, maximum: 1 })],
  [
    'schema-invalid',
    'a search range outside',
    withProperty({ ...number, minimum: 0, 'x-search': { low: -1, high: 2 } }),
  ],
  [
    'schema-invalid',
    'a huge number',
    withProperty({ type: 'integer', default: 1 }).replace('"default":1', '"default":1e400'),
  ],
  ['schema-invalid', 'a boolean schema', withProperty(true)],
  ['schema-forbidden', '$data', withProperty({ ...number, maximum: 3, $data: '1/x' })],
  ['schema-forbidden', 'patternProperties', withProperty(number, { patternProperties: { a: {} } })],
  ['schema-forbidden', 'propertyNames', withProperty({ type: 'object', propertyNames: {}, default: {} })],
  ['schema-forbidden', 'format', withProperty({ ...text, format: 'email' })],
  ['schema-forbidden', 'an unknown keyword', withProperty({ ...number, minimun: 1 })],
  ['schema-forbidden', 'a default in a branch', withProperty(number, { if: { properties: { a: { default: 1 } } } })],
  ['schema-forbidden', 'allOf without if', withProperty({ ...number, allOf: [{ minimum: 1 }] })],
  ['schema-forbidden', 'a keyword inside when', withProperty({ ...number, 'x-ui': { when: { a: { pattern: 'x' } } } })],
  ['schema-forbidden', '$defs below the root', withProperty({ ...number, $defs: {} })],
  ['schema-too-large', 'bytes', withProperty({ ...number, description: 'x'.repeat(70_000) })],
  ['schema-too-large', 'properties', JSON.stringify({ ...root, properties: manyProperties(201) })],
  ['schema-too-large', 'enum', withProperty({ enum: Array.from({ length: 501 }, (_, i) => i), default: 1 })],
  ['schema-too-large', 'a long text', withProperty({ ...text, default: 'x'.repeat(1025) })],
  ['schema-too-deep', '2,000 allOf', '{"allOf":['.repeat(2000) + '{}' + ']}'.repeat(2000)],
  ['schema-too-deep', '17 levels', withProperty(nestedNot(17))],
  [
    'schema-too-complex',
    'a doubled chain of 30',
    withProperty({ $ref: '#/$defs/d0', default: 1 }, { $defs: doubled(30) }),
  ],
  [
    'schema-too-complex',
    'uniqueItems without small maxItems',
    withProperty({ type: 'array', maxItems: 5000, uniqueItems: true, default: [] }),
  ],
  [
    'schema-too-complex',
    'nine branches',
    withProperty({ oneOf: Array.from({ length: 9 }, () => ({ type: 'integer' })), default: 1 }),
  ],
  ['schema-cycle', 'the root', withProperty({ $ref: '#', default: {} })],
  [
    'schema-cycle',
    'two definitions',
    withProperty(number, { $defs: { a: { $ref: '#/$defs/b' }, b: { not: { $ref: '#/$defs/a' } } } }),
  ],
  ['schema-ref', 'an address', withProperty({ $ref: 'https://example.org/x', default: 1 })],
  ['schema-ref', 'a deeper pointer', withProperty({ $ref: '#/$defs/a/items', default: 1 }, { $defs: { a: {} } })],
  ['schema-ref', 'nothing there', withProperty({ $ref: '#/$defs/a', default: 1 })],
  ['schema-id', '$id', withProperty(number, { $id: 'https://json-schema.org/draft/2020-12/schema' })],
  ['schema-id', '$dynamicRef', withProperty({ ...number, $dynamicRef: '#a' })],
  ['schema-pattern', 'look-behind', withProperty({ ...text, pattern: '(?<=a)b' })],
  ['schema-pattern', 'a back-reference', withProperty({ ...text, pattern: '(a)\\1' })],
  ['schema-pattern', 'no maxLength', withProperty({ type: 'string', pattern: '^a$', default: 'a' })],
  ['schema-pattern', 'not ECMAScript', withProperty({ ...text, pattern: '(?i)a' })],
  [
    'schema-name',
    '__proto__',
    `{"type":"object","additionalProperties":false,"properties":{"__proto__":{"type":"integer"}}}`,
  ],
  ['schema-name', 'a space', JSON.stringify({ ...root, properties: { 'a b': number } })],
  ['schema-name', 'constructor', JSON.stringify({ ...root, properties: {}, $defs: { constructor: {} } })],
  ['defaults-valid', 'no default', withProperty({ type: 'number' })],
];

function manyProperties(count: number): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, { type: 'integer', default: 1 }]));
}
function nestedNot(levels: number): unknown {
  let schema: Record<string, unknown> = { type: 'integer' };
  for (let i = 0; i < levels; i++) schema = { not: schema };
  return { ...schema, default: 1 };
}
function doubled(levels: number): Record<string, unknown> {
  return Object.fromEntries(
    Array.from({ length: levels + 1 }, (_, i) => {
      const next = { $ref: `#/$defs/d${i + 1}` };
      return [`d${i}`, i === levels ? { type: 'integer' } : { anyOf: [next, next] }];
    }),
  );
}

describe('checkDialect', () => {
  for (const [name, schema] of GOOD) it(`accepts ${name}`, () => assert.deepEqual(checkDialect(schema), []));
  for (const [check, name, schema] of BAD) it(`${check}: ${name}`, () => assert.deepEqual(checks(schema), [check]));

  it('names the cycle, the place and the near word', () => {
    const cycle = checkDialect(withProperty(number, { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } }));
    assert.match(cycle[0]?.message ?? '', /a → b → a/);
    const [near] = checkDialect(withProperty({ ...number, minimun: 1 }));
    assert.equal(near?.where?.pointer, '/properties/lr0/minimun');
    assert.match(near?.fix ?? '', /"minimum"/);
  });

  it('never throws, whatever the text', () => {
    const keyword = fc.constantFrom(
      'type',
      'properties',
      '$ref',
      '$defs',
      'oneOf',
      'allOf',
      'x-ui',
      'when',
      'pattern',
      'enum',
      'items',
      'default',
      'if',
    );
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom<unknown>('object', '#', '#/$defs/a', null, true, 3, '(a|a)*', [], ['string', 'null']),
        fc.dictionary(keyword, tie('node'), { maxKeys: 5 }),
        fc.array(tie('node'), { maxLength: 4 }),
      ),
    })).node;
    fc.assert(
      fc.property(value, (schema) => void checkDialect(JSON.stringify(schema))),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.string(), (raw) => void checkDialect(raw)),
      { numRuns: 200 },
    );
    assert.deepEqual(checks('['.repeat(10_000)), ['schema-too-deep']);
  });

  it('is quick on a large schema', () => {
    const schema = JSON.stringify({ ...root, properties: manyProperties(200) });
    const started = performance.now();
    assert.deepEqual(checkDialect(schema), []);
    assert.ok(performance.now() - started < 2000);
  });
});

describe('patternProblem', () => {
  it('accepts what runs in linear time', () => {
    for (const pattern of ['^[a-z]+$', '^(a|a)*$', '^rand-m[0-9]{1,2}(-inc[01])?$', '[(?=]', '\\(\\?=']) {
      assert.equal(patternProblem(pattern), null, pattern);
    }
  });
  it('refuses the rest', () => {
    for (const pattern of ['(?=a)', '(?<!a)b', '(a)\\1', 'a{1001}', 'a'.repeat(257), '(', '(?<n>a)\\k<n>']) {
      assert.notEqual(patternProblem(pattern), null, pattern);
    }
  });
});

describe('checkUi', () => {
  function warnings(ui: unknown, groups: unknown = [{ id: 'basic', title: 'Basics' }]): string[] {
    const parsed = parseConfigSchema(withProperty({ ...number, title: 'Rate', 'x-ui': ui }, { 'x-ui': { groups } }));
    assert.ok('schema' in parsed);
    return checkUi(parsed.schema, ['detect']).map((finding) => {
      assert.deepEqual([finding.check, finding.severity], ['x-ui-known', 'warning']);
      return finding.where?.pointer ?? '';
    });
  }
  it('says nothing about known words', () => {
    assert.deepEqual(warnings({ group: 'basic', unit: 'epochs', widget: 'slider', order: 1, help: 'x' }), []);
  });
  it('warns of unknown words, groups and units', () => {
    const at = '/properties/lr0/x-ui';
    assert.deepEqual(warnings({ widget: 'bananas' }), [`${at}/widget`]);
    assert.deepEqual(warnings({ group: 'optimiser' }), [`${at}/group`]);
    assert.deepEqual(warnings({ hlep: 'x' }), [`${at}/hlep`]);
    assert.deepEqual(warnings({ unit: 'bananas per second' }), [`${at}/unit`]);
    assert.deepEqual(warnings({ scale: 'log' }), [`${at}/scale`]);
    assert.deepEqual(warnings({ when: { nothing: { const: 1 } } }), [`${at}/when`]);
  });
});
