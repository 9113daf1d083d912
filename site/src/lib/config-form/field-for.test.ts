import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaintOf, defaultsOf, formFor, greyedBy, requestOf } from './field-for.ts';
import { positionOf, valueAt } from './slider-scale.ts';

const schema = {
  type: 'object',
  additionalProperties: false,
  'x-ui': {
    groups: [
      { id: 'basic', title: 'Basics' },
      { id: 'optimizer', title: 'Optimiser', collapsed: true },
    ],
  },
  properties: {
    epochs: {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: 10,
      title: 'Epochs',
      'x-ui': { group: 'basic', order: 2, unit: 'epochs' },
    },
    batch: {
      oneOf: [
        { type: 'integer', minimum: 1, maximum: 64 },
        { const: 'auto', title: 'Automatic' },
      ],
      default: 'auto',
      'x-ui': { group: 'basic', order: 1 },
    },
    image_size: {
      type: ['integer', 'null'],
      minimum: 32,
      maximum: 512,
      default: null,
      'x-ui': { placeholder: "model's own size" },
    },
    optimizer: {
      oneOf: [
        { const: 'auto', title: 'Automatic' },
        { const: 'SGD', title: 'SGD' },
      ],
      default: 'auto',
      'x-ui': { group: 'optimizer' },
    },
    learning_rate: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.01,
      'x-ui': { group: 'optimizer', scale: 'log', when: { optimizer: { not: { const: 'auto' } } } },
    },
    mask_ratio: { type: 'integer', default: 4, 'x-tasks': ['segment'], 'x-ui': { group: 'loss' } },
    scale: { $ref: '#/$defs/pair', default: [0.5, 1], 'x-ui': { group: 'loss', advanced: true } },
    freeze: { type: 'boolean', default: false },
    eval_metric: { enum: ['top1', 'loss', null], default: null },
  },
  $defs: { pair: { type: 'array', items: { type: 'number', minimum: 0, maximum: 2 }, minItems: 2, maxItems: 2 } },
};

test('groups keep the order of the schema, undeclared ones follow, fields of other tasks are absent', () => {
  const groups = formFor(schema, 'classify');
  assert.deepEqual(
    groups.map((group) => [group.id, group.fields.map((field) => `${field.key}:${field.kind}`)]),
    [
      ['basic', ['batch:number', 'epochs:number', 'image_size:number', 'freeze:switch', 'eval_metric:select']],
      ['optimizer', ['optimizer:select', 'learning_rate:number']],
      ['loss', ['scale:range']],
    ],
  );
  assert.ok(formFor(schema, 'segment').some((group) => group.fields.some((field) => field.key === 'mask_ratio')));
});

test('a union of a number and a word, a null with a meaning, a log slider', () => {
  const fields = formFor(schema, 'classify').flatMap((group) => group.fields);
  const batch = fields.find((field) => field.key === 'batch');
  assert.deepEqual(batch?.choices, [{ value: 'auto', title: 'Automatic' }]);
  assert.equal(batch?.maximum, 64);
  assert.equal(fields.find((field) => field.key === 'eval_metric')?.nullMeans, '');
  assert.equal(fields.find((field) => field.key === 'epochs')?.nullMeans, undefined);
  assert.equal(fields.find((field) => field.key === 'image_size')?.nullMeans, "model's own size");
  assert.equal(fields.find((field) => field.key === 'learning_rate')?.slider, true);
});

test('a greyed field says by which sibling and stays out of the request', () => {
  const groups = formFor(schema, 'classify');
  const base = defaultsOf(groups);
  const rate = groups.flatMap((group) => group.fields).find((field) => field.key === 'learning_rate');
  assert.ok(rate);
  assert.deepEqual(greyedBy(rate, base), ['optimizer']);
  assert.deepEqual(requestOf(groups, base, { learning_rate: 0.2, epochs: 3, batch: 'auto' }), { epochs: 3 });
  assert.deepEqual(requestOf(groups, base, { learning_rate: 0.2, optimizer: 'SGD' }), {
    optimizer: 'SGD',
    learning_rate: 0.2,
  });
});

test('complaints: not a number, not whole, out of range; words and null pass', () => {
  const fields = formFor(schema, 'classify').flatMap((group) => group.fields);
  const batch = fields.find((field) => field.key === 'batch');
  assert.ok(batch);
  assert.equal(complaintOf(batch, 'auto'), undefined);
  assert.equal(complaintOf(batch, 65), 'high');
  assert.equal(complaintOf(batch, 0), 'low');
  assert.equal(complaintOf(batch, 1.5), 'whole');
  assert.equal(complaintOf(batch, Number.NaN), 'number');
});

test('log slider: ends are the ends, the middle is the geometric middle, a way there and back', () => {
  const range = { minimum: 0.0001, maximum: 1, scale: 'log', integer: false, step: undefined } as const;
  assert.equal(valueAt(0, range), 0.0001);
  assert.equal(valueAt(1000, range), 1);
  assert.equal(valueAt(500, range), 0.01);
  assert.equal(positionOf(0.01, range), 500);
  assert.equal(valueAt(500, { minimum: 1, maximum: 256, scale: 'pow2', integer: true, step: undefined }), 16);
});
