import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { checkConfig } from '../src/trainer/config-check.ts';
import { isObject, listAt, objectAt, textAt } from '../src/trainer/json-value.ts';

const ROOT = fileURLToPath(new URL('.', import.meta.url));

test('a copy of the package outside the repository describes itself', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trainyard-package-'));
  cpSync(ROOT, folder, { recursive: true, dereference: true });
  const text = execFileSync(process.execPath, [join(folder, 'src/main.ts'), 'describe'], {
    cwd: tmpdir(),
    env: {},
    encoding: 'utf8',
  });
  const document: unknown = JSON.parse(text);
  const manifest: unknown = parse(readFileSync(join(ROOT, 'trainer.yaml'), 'utf8'));
  assert.deepEqual(objectAt(document, 'manifest'), manifest);
  assert.deepEqual(listAt(document, 'models'), listAt(manifest, 'models'));
  const framework = objectAt(manifest, 'framework');
  assert.equal(textAt(objectAt(document, 'versions'), textAt(framework, 'name') ?? ''), textAt(framework, 'version'));
  rmSync(folder, { recursive: true });
});

test('every preset fits the schema, and package.json says what the manifest says', () => {
  const read = (name: string): unknown => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
  const schema = read('config.schema.json');
  const presets = read('presets.json');
  assert.ok(isObject(schema) && Array.isArray(presets));
  const ids = presets.map((preset) => textAt(preset, 'id'));
  assert.deepEqual(ids, [
    'balanced',
    'fast-check',
    'best-quality',
    'small-data',
    'edge-device',
    'sample',
    'proof-classify',
  ]);
  for (const preset of presets) assert.deepEqual(checkConfig(schema, objectAt(preset, 'values') ?? {}, 'classify'), []);
  const manifest: unknown = parse(readFileSync(join(ROOT, 'trainer.yaml'), 'utf8'));
  for (const key of ['name', 'version', 'license'])
    assert.equal(textAt(read('package.json'), key), textAt(manifest, key));
});
