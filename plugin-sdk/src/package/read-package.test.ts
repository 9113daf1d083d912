import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { chunks, rawEntry, tgz } from '../archive/tar-fixture.ts';
import { SchemaWorkerPool } from '../config/index.ts';
import { manifestDigest } from '../manifest.ts';
import { packageStageOf } from './check-stages.ts';
import { GOOD_PRESETS, GOOD_SCHEMA, GOOD_YAML, packedPackage } from './package-fixture.ts';
import { readPackage, type PackageReading } from './read-package.ts';

const schemas = new SchemaWorkerPool();
after(() => schemas.close());

async function read(bytes: Uint8Array, expected = {}): Promise<PackageReading> {
  const reading = await readPackage(chunks(bytes, 4096), { schemas, expected });
  for (const finding of reading.findings) assert.ok(finding.fix.length > 0, finding.check);
  return reading;
}

async function checksOf(changes: Record<string, string | null>): Promise<string[]> {
  const { findings } = await read(packedPackage(changes));
  return [...new Set(findings.map((finding) => finding.check))].sort();
}

function schemaWith(property: unknown): string {
  return JSON.stringify({ ...GOOD_SCHEMA, properties: { ...GOOD_SCHEMA.properties, epochs: property } });
}
function presetsWith(values: unknown): string {
  return JSON.stringify([GOOD_PRESETS[0], { ...GOOD_PRESETS[1], values }]);
}

describe('readPackage', () => {
  it('reads a good package whole and without findings', async () => {
    const bytes = packedPackage();
    const reading = await read(bytes, { name: '@acme/tiny-classifier', version: '1.2.3' });
    assert.deepEqual(reading.findings, []);
    assert.equal(reading.sha256, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    assert.equal(reading.sha512, `sha512-${createHash('sha512').update(bytes).digest('base64')}`);
    assert.equal(reading.packedBytes, bytes.length);
    const { content } = reading;
    assert.ok(content !== null);
    assert.equal(content.manifest.name, '@acme/tiny-classifier');
    assert.equal(content.manifestDigest, manifestDigest(content.manifest));
    assert.deepEqual(JSON.parse(content.configSchemaText), content.configSchema);
    assert.deepEqual(
      content.presets.map((preset) => preset.id),
      ['balanced', 'fast-check'],
    );
    assert.ok(content.entries.some((entry) => entry.path === 'src/main.py'));
    assert.match(content.readme, /^# Tiny/);
  });

  it('digests all bytes of a refused archive too', async () => {
    const bytes = Buffer.concat([tgz(rawEntry({ name: 'other/a' })), Buffer.alloc(100)]);
    const reading = await read(bytes);
    assert.equal(reading.findings[0]?.check, 'archive-layout');
    assert.equal(reading.content, null);
    assert.equal(reading.sha256, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  });

  const cases: readonly (readonly [string, string, Record<string, string | null>])[] = [
    ['archive-layout', 'no LICENSE', { LICENSE: null }],
    ['archive-layout', 'no presets', { 'presets.json': null }],
    ['archive-too-large', 'a huge manifest', { 'trainer.yaml': 'x'.repeat(70_000) }],
    ['readme-present', 'no README', { 'README.md': null }],
    ['json-too-deep', 'a deep package.json', { 'package.json': '['.repeat(10_000) }],
    ['manifest-invalid', 'an icon that is not there', { 'trainer.yaml': `${GOOD_YAML}icon: icon.svg\n` }],
    [
      'manifest-invalid',
      'another place for the schema',
      { 'trainer.yaml': GOOD_YAML.replace('config.schema.json', 'other.json') },
    ],
    [
      'defaults-valid',
      'a default out of range',
      { 'config.schema.json': schemaWith({ type: 'integer', maximum: 10, default: 11 }) },
    ],
    ['defaults-valid', 'no default', { 'config.schema.json': schemaWith({ type: 'integer', maximum: 10 }) }],
    ['presets-valid', 'an unknown setting', { 'presets.json': presetsWith({ epoch: 1 }) }],
    ['presets-valid', 'a value out of range', { 'presets.json': presetsWith({ epochs: 1000 }) }],
    ['presets-valid', 'no JSON', { 'presets.json': '[' }],
    ['schema-cycle', 'a cycle', { 'config.schema.json': schemaWith({ $ref: '#', default: 1 }) }],
    ['package-secret', 'a private key', { 'CHANGELOG.md': '## 1.2.3\n-----BEGIN RSA PRIVATE KEY-----\n' }],
    [
      'secret-default',
      'a key as default',
      { 'config.schema.json': schemaWith({ type: 'string', title: 'K', default: `AKIA${'A'.repeat(16)}` }) },
    ],
    ['text-unsafe', 'a byte order mark', { 'README.md': '\ufeffhello' }],
  ];
  for (const [check, name, changes] of cases) {
    it(`${check}: ${name}`, async () => {
      const found = await checksOf(changes);
      assert.ok(found.includes(check), found.join(', '));
    });
  }

  it('knows the stage of every check, and that is the order of findings', async () => {
    for (const [check] of cases) assert.notEqual(packageStageOf(check), null, check);
    const { findings } = await read(
      packedPackage({
        'config.schema.json': schemaWith({ $ref: '#', default: 1 }),
        'trainer.yaml': GOOD_YAML.replace('probe: true, ', ''),
        'CHANGELOG.md': '## 1.2.3\n-----BEGIN PRIVATE KEY-----\n',
      }),
    );
    assert.deepEqual(
      findings.map((finding) => packageStageOf(finding.check)),
      ['package', 'manifest', 'config'],
    );
  });

  it('names task, preset and bound', async () => {
    const { findings } = await read(packedPackage({ 'presets.json': presetsWith({ epochs: 1000 }) }));
    assert.equal(findings.length, 1);
    assert.equal(
      findings[0]?.message,
      'The preset "fast-check" is not valid for the task classify: Epochs is out of range.',
    );
    assert.equal(findings[0]?.fix, 'It must be at most 100.');
    assert.equal(findings[0]?.where?.pointer, '/1/values/epochs');
  });

  it('finds wrong default export options', async () => {
    const schema = structuredClone(GOOD_SCHEMA);
    schema.$defs.exportOnnx.properties.opset.default = 99;
    const { findings } = await read(packedPackage({ 'config.schema.json': JSON.stringify(schema) }));
    assert.deepEqual(
      findings.map((one) => [one.check, one.where?.pointer]),
      [['defaults-valid', '/$defs/exportOnnx/opset']],
    );
  });

  it('refuses other values in the request', async () => {
    const { findings } = await read(packedPackage(), { version: '9.9.9' });
    assert.deepEqual(
      findings.map((finding) => finding.check),
      ['manifest-mismatch'],
    );
    assert.match(findings[0]?.evidence ?? '', /request: "9.9.9"/);
  });
});
