import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PROBLEMS, VERBS } from '@trainyard/plugin-sdk';
import { ROUTES } from '@trainyard/plugin-sdk/api';
import { buildJobFile } from '@trainyard/runner/work';
import { jobSchema } from './generate/job-schema.ts';
import { isJsonObject, type Json } from './generate/json-value.ts';
import { openApi } from './generate/openapi.ts';
import { problemTable } from './generate/problem-table.ts';

const script = join(import.meta.dirname, 'generate.ts');
let folder = '';

function generate(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--into', folder, ...args], {
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

describe('npm run generate', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'ty-generate-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('--check passes after writing, fails after a change and names the file, passes when it is written again', () => {
    assert.equal(generate('--check').status, 1, 'nothing is there yet');
    assert.equal(generate().status, 0);
    assert.deepEqual(generate('--check'), { status: 0, output: '' });
    const changed = join(folder, 'docs', 'problems.md');
    const before = readFileSync(changed, 'utf8');
    appendFileSync(changed, 'by hand\n');
    const { status, output } = generate('--check');
    assert.equal(status, 1);
    assert.match(output, /docs\/problems\.md differs/);
    assert.doesNotMatch(output, /openapi/);
    assert.equal(generate().status, 0);
    assert.equal(readFileSync(changed, 'utf8'), before);
  });
});

test('docs/problems.md and the table of problems name the same codes', () => {
  const listed = [...problemTable().matchAll(/^\| `([a-z-]+)` \| (\d+) \|/gm)].map(([, code, status]) => [
    code,
    status,
  ]);
  assert.deepEqual(
    listed,
    Object.entries(PROBLEMS).map(([code, [status]]) => [code, String(status)]),
  );
});

describe('docs/openapi.json', () => {
  const document = openApi('1.0.0');
  const paths = isJsonObject(document['paths']) ? document['paths'] : {};
  const operations = Object.values(paths).flatMap((path) => (isJsonObject(path) ? Object.values(path) : []));

  test('has every operation of the table once, closed to visitors exactly when the table says so', () => {
    const open = new Map(
      operations.filter(isJsonObject).map((item) => [item['operationId'], JSON.stringify(item['security'])]),
    );
    assert.deepEqual([...open.keys()].map(String).sort(), ROUTES.map(({ id }) => id).sort());
    for (const { id, access } of ROUTES) {
      assert.equal(open.get(id)?.startsWith('[{},'), access === 'public' || access === 'visitor', id);
    }
  });

  test('every reference leads somewhere and every {name} of a path is a parameter', () => {
    const components = isJsonObject(document['components']) ? document['components'] : {};
    for (const ref of references(document)) {
      const [, group, name] = /^#\/components\/(\w+)\/(\w+)$/.exec(ref) ?? [];
      const place = components[group ?? ''];
      assert.ok(isJsonObject(place) && Object.hasOwn(place, name ?? ''), ref);
    }
    for (const [path, item] of Object.entries(paths)) {
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name)).sort();
      for (const operation of isJsonObject(item) ? Object.values(item) : []) {
        const list = isJsonObject(operation) && Array.isArray(operation['parameters']) ? operation['parameters'] : [];
        const names = list.filter((entry: Json) => isJsonObject(entry) && entry['in'] === 'path').map(nameOf);
        assert.deepEqual(names.map(String).sort(), wanted, path);
      }
    }
  });
});

test('job.v1 has the fields that the runner writes, verb by verb', () => {
  const { properties, required, allOf } = jobSchema();
  assert.ok(isJsonObject(properties) && Array.isArray(required) && Array.isArray(allOf));
  const seen = new Set<string>();
  for (const command of VERBS) {
    const written = Object.keys(
      buildJobFile({
        ...{ jobId: 'j', attempt: 1, command, trainer: '@a/b@1.0.0', task: 'classify', model: 'm', config: {} },
        ...{ configDigest: null, seed: 1, dataset: null, device: { kind: 'cpu', count: 1 }, grace: 30 },
        limits: { cpus: 1, memoryBytes: 1, shmBytes: 0, maxSeconds: 1 },
        evaluate: { split: 'val' },
        predict: { source: 'input/images' },
        export: { format: 'onnx', precision: 'fp32', dynamic: [], options: {} },
      }),
    );
    written.forEach((name) => seen.add(name));
    const special: string[] = allOf.flatMap((rule) => {
      const text = JSON.stringify(rule);
      const [, verbs = '', name = ''] = /"enum":(\[.*?\]).*"then":\{"required":\["(\w+)"\]/.exec(text) ?? [];
      return verbs.includes(`"${command}"`) ? [name] : [];
    });
    assert.deepEqual(written.sort(), [...required.map(String), ...special].sort(), command);
  }
  assert.deepEqual(Object.keys(properties).sort(), [...seen].sort());
});

function nameOf(entry: Json): string {
  return isJsonObject(entry) ? String(entry['name']) : '';
}

function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => references(item));
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => (key === '$ref' ? [String(item)] : references(item)));
}
