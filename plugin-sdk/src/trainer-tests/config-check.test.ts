import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig, withDefaults } from '../trainer/config-check.ts';

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    epochs: { type: 'integer', minimum: 1, maximum: 100, default: 10 },
    rate: { type: ['number', 'null'], exclusiveMinimum: 0, default: null },
    optimizer: {
      oneOf: [
        { const: 'sgd', title: 'SGD' },
        { const: 'adam', title: 'Adam' },
      ],
      default: 'sgd',
    },
    batch: { anyOf: [{ type: 'integer', minimum: 1 }, { const: 'auto' }], default: 'auto' },
    names: { type: 'array', items: { $ref: '#/$defs/name' }, maxItems: 3, uniqueItems: true, default: [] },
    mask_ratio: { type: 'integer', default: 4, 'x-tasks': ['segment'] },
    size: { type: 'integer', multipleOf: 32, default: 64 },
    nested: { type: 'object', additionalProperties: false, properties: { on: { type: 'boolean' } }, default: {} },
  },
  $defs: { name: { type: 'string', minLength: 2, pattern: '^[a-z]+$' } },
  allOf: [{ if: { properties: { optimizer: { const: 'adam' } } }, then: { properties: { epochs: { maximum: 50 } } } }],
};

test('configs that fit', () => {
  const good = [
    {},
    { epochs: 100, rate: 0.1 },
    { rate: null, batch: 8 },
    { batch: 'auto', names: ['ab', 'cd'] },
    { nested: { on: true }, size: 96 },
  ];
  for (const config of good) assert.deepEqual(checkConfig(SCHEMA, config, 'classify'), [], JSON.stringify(config));
  assert.deepEqual(checkConfig(SCHEMA, { mask_ratio: 2 }, 'segment'), []);
});

test('configs that do not fit name the key', () => {
  const wrong: [Record<string, unknown>, string, string][] = [
    [{ epochs: 0 }, 'epochs', 'config.invalid'],
    [{ epochs: 1.5 }, 'epochs', 'config.invalid'],
    [{ epochs: '5' }, 'epochs', 'config.invalid'],
    [{ rate: 0 }, 'rate', 'config.invalid'],
    [{ optimizer: 'lion' }, 'optimizer', 'config.invalid'],
    [{ batch: 0 }, 'batch', 'config.invalid'],
    [{ names: ['ab', 'ab'] }, 'names', 'config.invalid'],
    [{ names: ['A'] }, 'names', 'config.invalid'],
    [{ size: 33 }, 'size', 'config.invalid'],
    [{ nested: { off: 1 } }, 'nested', 'config.invalid'],
    [{ mask_ratio: 2 }, 'mask_ratio', 'config.unknown_key'],
    [{ epoch: 3 }, 'epoch', 'config.unknown_key'],
    [{ optimizer: 'adam', epochs: 60 }, 'epochs', 'config.invalid'],
    [JSON.parse('{"__proto__": {}}'), '__proto__', 'config.unknown_key'],
  ];
  for (const [config, key, code] of wrong) {
    const first = checkConfig(SCHEMA, config, 'classify')[0];
    assert.deepEqual([first?.key, first?.code], [key, code], JSON.stringify(config));
    assert.ok(first?.hint.includes(key));
  }
  assert.match(checkConfig(SCHEMA, { epoch: 3 }, 'classify')[0]?.hint ?? '', /"epochs"/);
});

test('defaults of the keys in scope are filled in', () => {
  assert.deepEqual(Object.keys(withDefaults(SCHEMA, { epochs: 3 }, 'classify')), [
    'epochs',
    'rate',
    'optimizer',
    'batch',
    'names',
    'size',
    'nested',
  ]);
  assert.equal(withDefaults(SCHEMA, {}, 'segment')['mask_ratio'], 4);
});
