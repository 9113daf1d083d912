import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, describe, it } from 'node:test';
import { SchemaWorkerPool, workerPermissions } from './schema-worker.ts';

const pool = new SchemaWorkerPool();
after(() => pool.close());

function schemaOf(properties: unknown, rest: object = {}): string {
  return JSON.stringify({ type: 'object', additionalProperties: false, properties, ...rest });
}
const small = schemaOf(
  {
    epochs: { type: 'integer', minimum: 1, maximum: 10, default: 3, title: 'Epochs' },
    name: { type: 'string', maxLength: 4096, pattern: '^(a|a)*$', default: '' },
    optimizer: {
      oneOf: [
        { const: 'sgd', title: 'SGD' },
        { const: 'adam', title: 'Adam' },
      ],
      default: 'sgd',
    },
    mask_ratio: { type: 'integer', default: 4, 'x-tasks': ['segment'] },
  },
  { $defs: { onnx: { type: 'object', additionalProperties: false, properties: { opset: { type: 'integer' } } } } },
);

describe('SchemaWorkerPool', () => {
  it('compiles a schema, the first one too', async () => assert.deepEqual(await pool.checkSchema(small), []));

  it('stops at the dialect before anything is compiled', async () => {
    const [finding] = await pool.checkSchema(schemaOf({ a: { $ref: '#', default: 1 } }));
    assert.equal(finding?.check, 'schema-cycle');
  });

  it('refuses what only the compiler sees', async () => {
    const [finding] = await pool.checkSchema(
      schemaOf({
        a: { type: 'array', maxItems: 3, items: { type: 'integer' }, prefixItems: [{}], default: [] },
        b: { enum: [1, 1], default: 1 },
      }),
    );
    assert.equal(finding?.check, 'schema-invalid');
    assert.ok((finding?.evidence ?? '').length > 0);
  });

  it('tells every wrong setting with its place and how to mend it', async () => {
    const { errors } = await pool.validateConfig(small, 'segment', {
      epochs: 11,
      optimizer: 'adma',
      nme: 1,
      mask_ratio: 'x',
    });
    const byPointer = new Map(errors.map((error) => [error.pointer, error]));
    assert.deepEqual([...byPointer.keys()].sort(), ['/epochs', '/mask_ratio', '/nme', '/optimizer']);
    assert.equal(byPointer.get('/epochs')?.message, 'Epochs is out of range.');
    assert.equal(byPointer.get('/epochs')?.fix, 'It must be at most 10.');
    assert.equal(byPointer.get('/nme')?.fix, 'Did you mean "name"?');
    assert.match(byPointer.get('/optimizer')?.fix ?? '', /"sgd", "adam"/);
  });

  it('coerces nothing and knows the task', async () => {
    const wrong = await pool.validateConfig(small, 'detect', { epochs: '3' });
    assert.equal(wrong.errors[0]?.pointer, '/epochs');
    const outside = await pool.validateConfig(small, 'detect', { mask_ratio: 4 });
    assert.equal(outside.errors[0]?.pointer, '/mask_ratio');
    assert.deepEqual((await pool.validateConfig(small, 'segment', { mask_ratio: 4 })).errors, []);
  });

  it('does not let inherited names pass', async () => {
    const schema = schemaOf({ a: { type: 'integer', default: 1 } }, { required: ['toString'] });
    const { errors } = await pool.validateConfig(schema, 'detect', { a: 1 });
    assert.equal(errors[0]?.pointer, '/toString');
  });

  it('judges export options by their pointer', async () => {
    assert.deepEqual((await pool.validateOptions(small, '#/$defs/onnx', { opset: 17 })).errors, []);
    assert.equal((await pool.validateOptions(small, '#/$defs/onnx', { opset: 'x' })).errors[0]?.pointer, '/opset');
    assert.equal((await pool.validateOptions(small, '#/$defs/none', {})).errors.length, 1);
  });

  it('runs ^(a|a)*$ in linear time', async () => {
    const started = performance.now();
    const { errors } = await pool.validateConfig(small, 'detect', { name: `${'a'.repeat(4000)}b` });
    assert.equal(errors[0]?.pointer, '/name');
    assert.ok(performance.now() - started < 2000);
  });

  it('stops a validation that takes too long, and goes on with the next', async () => {
    // Within every limit of the dialect, and still a hundred million comparisons for 250 kB of numbers.
    const branches = Array.from({ length: 900 }, (_, i) => ({ type: 'integer', minimum: i + 2, maximum: i + 2 }));
    const hostile = schemaOf({ a: { type: 'array', maxItems: 200_000, items: { anyOf: branches }, default: [] } });
    assert.deepEqual(await pool.checkSchema(hostile), []);
    const value = Array.from({ length: 100_000 }, () => 901);
    const started = performance.now();
    const { errors } = await pool.validateConfig(hostile, 'detect', { a: value.slice(0, 60_000) });
    assert.match(errors[0]?.message ?? '', /in time/);
    assert.ok(performance.now() - started < 15_000);
    assert.deepEqual((await pool.validateConfig(small, 'detect', { epochs: 3 })).errors, []);
  });

  it('refuses a schema that does not compile within the budget', async () => {
    const strict = new SchemaWorkerPool({ workers: 1, compileMs: 1 });
    const properties = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`p${i}`, { type: 'integer', minimum: 0, maximum: i + 1, default: 0 }]),
    );
    const [finding] = await strict.checkSchema(schemaOf(properties));
    await strict.close();
    assert.equal(finding?.check, 'schema-too-complex');
  });

  it('refuses a config above 256 KiB before it travels', async () => {
    const { errors } = await pool.validateConfig(small, 'detect', { name: 'a'.repeat(300_000) });
    assert.match(errors[0]?.message ?? '', /bytes/);
  });

  it('serves more callers than it has workers', async () => {
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) => pool.validateConfig(small, 'detect', { epochs: i })),
    );
    assert.deepEqual(
      results.map(({ errors }) => errors.length === 0),
      [false, ...Array.from({ length: 10 }, () => true), false],
    );
  });

  it('may neither read, write, spawn nor start threads', () => {
    const deeds = [
      "require('node:fs').readFileSync('/etc/hosts')",
      "require('node:fs').writeFileSync('/tmp/worker-was-here', '')",
      "require('node:child_process').spawnSync('true')",
      "new (require('node:worker_threads').Worker)('0', { eval: true })",
    ];
    const tried = deeds.map((deed) => `try { ${deed}; console.log('done') } catch (error) { console.log(error.code) }`);
    const { stdout } = spawnSync(process.execPath, [...workerPermissions(), '-e', tried.join('\n')], {
      env: {},
      encoding: 'utf8',
    });
    assert.deepEqual(
      stdout.trim().split('\n'),
      deeds.map(() => 'ERR_ACCESS_DENIED'),
    );
  });

  it('refuses work when closed', async () => {
    const closed = new SchemaWorkerPool();
    await closed.close();
    await assert.rejects(closed.checkSchema(small), /closed/);
  });
});
