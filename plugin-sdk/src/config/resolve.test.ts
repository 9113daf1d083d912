import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { checkPresets, parsePresets, presetValuesFor } from './presets.ts';
import { resolveConfig } from './resolve-config.ts';
import { defaultsFor, migrateRenamed, scopedKeys, scopedSchema, withoutPatterns } from './resolve.ts';
import type { ConfigSchema } from './schema-shape.ts';

const schema: ConfigSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['epochs', 'mask_ratio'],
  properties: {
    epochs: { type: 'integer', default: 100, 'x-renamed-from': ['num_epochs'] },
    mask_ratio: { type: 'integer', default: 4, 'x-tasks': ['segment'] },
    pattern: { type: 'string', maxLength: 9, pattern: '^a$', default: 'a' },
    scale: { type: 'array', maxItems: 2, items: { type: 'number' }, default: [0.1, 1] },
  },
};

describe('resolution', () => {
  it('scopes keys and defaults by task', () => {
    assert.deepEqual(scopedKeys(schema, 'detect'), ['epochs', 'pattern', 'scale']);
    assert.deepEqual(defaultsFor(schema, 'segment'), { epochs: 100, mask_ratio: 4, pattern: 'a', scale: [0.1, 1] });
    assert.deepEqual(scopedSchema(schema, 'detect')['required'], ['epochs']);
  });

  it('lays preset over defaults and the user over both, and tells where each value is from', () => {
    const preset = { id: 'fast', values: { epochs: 3, scale: [0.5, 1] } };
    const result = resolveConfig({ schema, task: 'detect', preset, values: { epochs: 5 } });
    assert.deepEqual(result.config, { epochs: 5, pattern: 'a', scale: [0.5, 1] });
    assert.deepEqual(result.sources, { epochs: 'user', pattern: 'default', scale: 'preset' });
    assert.deepEqual(result.problems, []);
  });

  it('gives the same digest for the same values, whatever their order, and another for others', () => {
    const one = resolveConfig({ schema, task: 'detect', values: { pattern: 'b', epochs: 1 } });
    const two = resolveConfig({ schema, task: 'detect', values: { epochs: 1, pattern: 'b' } });
    assert.equal(one.digest, two.digest);
    assert.notEqual(one.digest, resolveConfig({ schema, task: 'detect', values: {} }).digest);
  });

  it('refuses unknown keys with the nearest name, renamed keys and keys of other tasks', () => {
    const values = { epoch: 1, num_epochs: 2, mask_ratio: 1, constructor: 1 };
    const { problems, config } = resolveConfig({ schema, task: 'detect', values });
    assert.deepEqual(config, defaultsFor(schema, 'detect'));
    assert.deepEqual(
      problems.map(({ pointer, code }) => [pointer, code]),
      [
        ['/epoch', 'config.unknown_key'],
        ['/num_epochs', 'config.unknown_key'],
        ['/mask_ratio', 'config.out_of_scope'],
        ['/constructor', 'config.unknown_key'],
      ],
    );
    assert.match(problems[0]?.fix ?? '', /"epochs"/);
    assert.match(problems[1]?.fix ?? '', /"epochs"/);
    assert.match(problems[2]?.fix ?? '', /segment/);
  });

  it('does not hand out the defaults of the schema itself', () => {
    const { config } = resolveConfig({ schema, task: 'detect', values: {} });
    const scale = config['scale'];
    assert.ok(Array.isArray(scale));
    scale.push(7);
    assert.deepEqual(schema.properties['scale']?.default, [0.1, 1]);
  });

  it('migrates renamed settings; current names win', () => {
    assert.deepEqual(migrateRenamed(schema, { num_epochs: 7 }), { epochs: 7 });
    assert.deepEqual(migrateRenamed(schema, { num_epochs: 7, epochs: 8 }), { epochs: 8 });
  });

  it('removes patterns, but not a setting of that name', () => {
    const stripped = withoutPatterns({ ...schema, allOf: [{ if: { properties: { epochs: { pattern: 'x' } } } }] });
    assert.ok(Object.hasOwn(stripped.properties, 'pattern'));
    assert.equal(JSON.stringify(stripped).includes('"^a$"'), false);
    assert.equal(JSON.stringify(stripped).includes('"x"'), false);
    assert.equal(schema.properties['pattern']?.['pattern'], '^a$');
  });

  it('keeps everything of pure.ts free of Node', () => {
    const seen = new Set<string>();
    const queue = ['pure.ts'];
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      const source = readFileSync(new URL(`./${file}`, import.meta.url), 'utf8');
      for (const [, from] of source.matchAll(/from '([^']+)'/g)) {
        assert.match(from ?? '', /^\.\/[a-z-]+\.ts$/, `${file} imports ${from}`);
        queue.push((from ?? '').slice(2));
      }
    }
    assert.ok(seen.size >= 4);
  });
});

describe('presets', () => {
  const balanced = { id: 'balanced', title: 'Balanced', description: 'Defaults.', values: {} };
  const fast = { id: 'fast-check', title: 'Fast', description: 'Quick.', model: 'tiny', values: { epochs: 3 } };
  const context = { tasks: ['detect', 'segment'], models: ['tiny'] };
  function problems(list: unknown): (string | undefined)[] {
    const parsed = parsePresets(JSON.stringify(list));
    const findings = 'findings' in parsed ? parsed.findings : checkPresets(parsed.presets, schema, context);
    for (const finding of findings) assert.equal(finding.check, 'presets-valid');
    return findings.map((finding) => finding.where?.pointer);
  }

  it('accepts deltas to balanced', () => assert.deepEqual(problems([balanced, fast]), []));
  it('refuses what has another form', () => {
    assert.deepEqual(problems([]), ['']);
    assert.deepEqual(problems([fast]), ['/0']);
    assert.deepEqual(problems([balanced, fast, fast]), ['/2/id']);
    assert.deepEqual(problems([balanced, { ...fast, title: '' }]), ['/1/title']);
    assert.deepEqual(problems([balanced, { ...fast, valeus: {} }]), ['/1']);
    assert.deepEqual(problems([balanced, { ...fast, tasks: [] }]), ['/1/tasks']);
  });
  it('refuses names that do not exist', () => {
    assert.deepEqual(problems([balanced, { ...fast, values: { epoch: 3 } }]), ['/1/values/epoch']);
    assert.deepEqual(problems([balanced, { ...fast, tasks: ['pose'] }]), ['/1/tasks']);
    assert.deepEqual(problems([balanced, { ...fast, model: 'tinny' }]), ['/1/model']);
    assert.deepEqual(problems([balanced, { ...fast, devices: ['tpu'] }]), ['/1/devices']);
  });
  it('takes a setting of one task in a preset for all, and leaves it out for the others', () => {
    const preset = { ...fast, values: { epochs: 3, mask_ratio: 2 } };
    assert.deepEqual(problems([balanced, preset]), []);
    assert.deepEqual(presetValuesFor(preset, schema, 'detect'), { epochs: 3 });
    assert.deepEqual(problems([balanced, { ...preset, tasks: ['detect'] }]), ['/1/values/mask_ratio']);
  });
});
