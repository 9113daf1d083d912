import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  checkManifest,
  interfaceDigest,
  manifestDigest,
  parseManifest,
  readLicence,
  type ManifestContext,
} from './manifest.ts';
import type { Finding } from './finding.ts';
import { GOOD_PACKAGE_JSON, GOOD_SCHEMA, GOOD_YAML, goodFiles } from './package/package-fixture.ts';

const texts = goodFiles();
const context: ManifestContext = {
  packageJson: GOOD_PACKAGE_JSON,
  configSchema: GOOD_SCHEMA,
  presets: [],
  readme: texts.get('README.md') ?? '',
  changelog: texts.get('CHANGELOG.md') ?? '',
  licenceText: texts.get('LICENSE') ?? '',
};

function judge(yaml: string, change: Partial<ManifestContext> = {}): Finding[] {
  const parsed = parseManifest(yaml);
  if ('findings' in parsed) return parsed.findings;
  return checkManifest(parsed.manifest, { ...context, ...change, lines: parsed.lines });
}

function checks(findings: readonly Finding[]): string[] {
  for (const finding of findings) assert.ok(finding.fix.length > 0, finding.check);
  return [...new Set(findings.map((finding) => finding.check))].sort();
}

function swapped(from: string, to: string): string {
  assert.ok(GOOD_YAML.includes(from), `the fixture has no ${from}`);
  return GOOD_YAML.replace(from, to);
}

function renamed(key: 'name' | 'version' | 'license', value: string): Partial<ManifestContext> {
  return { packageJson: { ...GOOD_PACKAGE_JSON, [key]: value } };
}

const digest = `acme/tiny@sha256:${'0'.repeat(64)}`;
const variant = (ref: string): string =>
  swapped('local:', `image: { variants: [{ id: cpu, ref: "${ref}", platforms: [linux/amd64] }] }\nlocal:`);

const BAD: readonly (readonly [string, string, string, Partial<ManifestContext>?])[] = [
  ['manifest-invalid', 'an unknown key', `${GOOD_YAML}licence: MIT\n`],
  ['manifest-invalid', 'a duplicate key', `${GOOD_YAML}title: again\n`],
  ['manifest-invalid', 'a missing key', swapped('title: Tiny classifier\n', '')],
  ['manifest-invalid', 'an unquoted version', swapped('version: 1.2.3', 'version: 1.10')],
  ['manifest-invalid', 'an unknown api version', swapped('trainer/v1', 'trainer/v2')],
  ['manifest-invalid', 'an anchor', swapped('title: Tiny', 'title: &a Tiny')],
  ['manifest-invalid', 'an alias', swapped('title: Tiny classifier', 'title: *a')],
  ['manifest-invalid', 'a tag', swapped('title: Tiny', 'title: !!str Tiny')],
  ['manifest-invalid', 'a merge key', `${GOOD_YAML}x-a: { <<: { a: 1 } }\n`],
  ['manifest-invalid', 'a dangerous key', `${GOOD_YAML}x-a: { __proto__: { a: 1 } }\n`],
  ['manifest-invalid', 'a number as key', `${GOOD_YAML}x-a: { 1: 2 }\n`],
  ['manifest-invalid', 'infinity', `${GOOD_YAML}x-a: .inf\n`],
  ['manifest-invalid', 'a second document', `${GOOD_YAML}---\na: 1\n`],
  ['manifest-invalid', 'a directive', `%YAML 1.1\n---\n${GOOD_YAML}`],
  ['manifest-invalid', 'too many bytes', `${GOOD_YAML}# ${'x'.repeat(70_000)}\n`],
  ['manifest-invalid', 'neither image nor local', swapped('local:', 'x-local:')],
  ['manifest-invalid', 'a model with neither id nor pattern', swapped('id: small, ', '')],
  [
    'manifest-invalid',
    'no keyword in package.json',
    GOOD_YAML,
    { packageJson: { ...GOOD_PACKAGE_JSON, keywords: [] } },
  ],
  ['json-too-deep', '10,000 brackets', `${GOOD_YAML}x-a: ${'['.repeat(10_000)}`],
  ['json-too-deep', '17 levels', `${GOOD_YAML}x-a: ${'['.repeat(17)}${']'.repeat(17)}\n`],
  ['name-invalid', 'a device', swapped('@acme/tiny-classifier', '@acme/con'), renamed('name', '@acme/con')],
  ['name-invalid', 'a path', swapped('@acme/tiny-classifier', '../x'), renamed('name', '../x')],
  [
    'version-invalid',
    'a leading zero',
    swapped('1.2.3', '01.2.3'),
    { ...renamed('version', '01.2.3'), changelog: '## 01.2.3' },
  ],
  ['version-invalid', 'a tag', swapped('1.2.3', 'latest'), { ...renamed('version', 'latest'), changelog: '## latest' }],
  [
    'version-invalid',
    'build metadata',
    swapped('1.2.3', '1.2.3+b'),
    { ...renamed('version', '1.2.3+b'), changelog: '## 1.2.3+b' },
  ],
  ['contract-unsupported', 'a future contract', swapped('"^1.0"', '"^9.0"')],
  ['contract-unsupported', 'no range', swapped('"^1.0"', '"newest"')],
  ['licence-spdx', 'a word', swapped('Apache-2.0', 'free'), renamed('license', 'free')],
  ['licence-spdx', 'another text', GOOD_YAML, { licenceText: 'All rights reserved.' }],
  ['manifest-mismatch', 'another name in package.json', GOOD_YAML, renamed('name', '@acme/other')],
  ['manifest-mismatch', 'another version in the request', GOOD_YAML, { expected: { version: '2.0.0' } }],
  ['readme-present', 'a short README', GOOD_YAML, { readme: '# Tiny\n<!-- ' + 'x'.repeat(500) + ' -->' }],
  ['readme-not-template', 'a sentence of the template', GOOD_YAML, { readme: `${context.readme}\nReplace this text.` }],
  ['changelog-entry', 'no heading', GOOD_YAML, { changelog: '## 1.2.30\n' }],
  ['changelog-entry', 'no changelog', GOOD_YAML, { changelog: null }],
  [
    'install-script',
    'postinstall',
    GOOD_YAML,
    { packageJson: { ...GOOD_PACKAGE_JSON, scripts: { postinstall: 'x' } } },
  ],
  ['install-script', 'prepare', GOOD_YAML, { packageJson: { ...GOOD_PACKAGE_JSON, scripts: { prepare: 'x' } } }],
  ['install-script', 'bin', GOOD_YAML, { packageJson: { ...GOOD_PACKAGE_JSON, bin: 'a.js' } }],
  [
    'dependency-source',
    'git',
    GOOD_YAML,
    { packageJson: { ...GOOD_PACKAGE_JSON, dependencies: { a: 'git+https://example.org/a' } } },
  ],
  [
    'dependency-source',
    'a short git form',
    GOOD_YAML,
    { packageJson: { ...GOOD_PACKAGE_JSON, devDependencies: { a: 'user/repo' } } },
  ],
  [
    'dependency-source',
    'an alias',
    GOOD_YAML,
    { packageJson: { ...GOOD_PACKAGE_JSON, dependencies: { a: 'npm:b@1' } } },
  ],
  ['dependency-source', 'bundled', GOOD_YAML, { packageJson: { ...GOOD_PACKAGE_JSON, bundleDependencies: ['a'] } }],
  ['image-digest-pinned', 'a tag', variant('acme/tiny:latest')],
  [
    'task-known',
    'a near word',
    swapped('id: classify', 'id: x-own\n    x-was: classify')
      .replace('x-own', 'detecting')
      .replaceAll('[classify]', '[detecting]'),
  ],
  ['dataset-format-known', 'no version', swapped('imagefolder@1', 'imagefolder')],
  ['dataset-format-known', 'a format of another task', swapped('imagefolder@1', 'yolo-pose@1')],
  ['format-known', 'a near word', swapped('format: onnx', 'format: onxx')],
  ['format-known', 'a precision', swapped('precisions: [fp32]', 'precisions: [fp8]')],
  ['model-unique', 'twice', swapped('id: small', 'id: tiny')],
  ['model-unique', 'a catastrophic pattern', swapped('id: small,', 'pattern: "(?=a)b", source: describe,')],
  [
    'matrix-consistent',
    'a model of an undeclared task',
    swapped('id: small, tasks: [classify]', 'id: small, tasks: [detect]'),
  ],
  [
    'matrix-consistent',
    'an export of an undeclared task',
    swapped('format: onnx, tasks: [classify]', 'format: onnx, tasks: [pose]'),
  ],
  ['matrix-consistent', 'a model with an undeclared export', swapped('id: small,', 'id: small, exports: [ncnn],')],
  ['matrix-consistent', 'exports without the command', swapped(', predict, export]', ', predict]')],
  ['probe-per-task', 'none', swapped('probe: true, ', '')],
  ['probe-per-task', 'two', swapped('id: small,', 'id: small, probe: true,')],
  ['metrics-canonical', 'another primary', swapped('primary: top1', 'primary: loss')],
  ['metrics-canonical', 'the wrong direction', swapped('direction: max', 'direction: min')],
  ['metrics-canonical', 'an undeclared primary', swapped('declared: [top1, loss]', 'declared: [loss]')],
  ['metrics-canonical', 'an unknown metric', swapped('declared: [top1, loss]', 'declared: [top1, acc]')],
  ['options-pointer', 'dangling', swapped('#/$defs/exportOnnx', '#/$defs/onnx')],
  ['weights-licence', 'no digest', swapped(`sha256: "${'ab'.repeat(32)}", `, '')],
  ['weights-licence', 'a mirror without address', swapped('source: bundled', 'source: mirror')],
  ['weights-licence', 'no SPDX licence', swapped('license: MIT', 'license: academic')],
];

describe('trainer.yaml', () => {
  it('accepts the good one, own keys and own tasks', () => {
    assert.deepEqual(judge(GOOD_YAML), []);
    assert.deepEqual(judge(`${GOOD_YAML}x-note: { anything: [1, null] }\n`), []);
    assert.deepEqual(judge(variant(digest)), []);
    assert.deepEqual(
      judge(swapped('declared: [top1, loss]', 'declared: [top1, x/own, { name: loss, unit: nat }]')),
      [],
    );
    const own = GOOD_YAML.replace('id: classify', 'id: x-own')
      .replaceAll('[classify]', '[x-own]')
      .replace('primary: top1', 'primary: loss');
    assert.deepEqual(judge(own.replace('classification@1', 'x-own@1')), []);
  });
  for (const [check, name, yaml, change] of BAD) {
    it(`${check}: ${name}`, () => assert.deepEqual(checks(judge(yaml, change)), [check]));
  }

  it('names line, pointer and nearest word', () => {
    const [finding] = judge(swapped('entrypoint:', 'entrypiont:')).filter(
      (one) => one.where?.pointer === '/entrypiont',
    );
    assert.deepEqual(finding?.where, { file: 'trainer.yaml', line: 11, pointer: '/entrypiont' });
    assert.match(finding?.fix ?? '', /"entrypoint"/);
    const [quoted] = judge(swapped('version: 1.2.3', 'version: 1.10'));
    assert.deepEqual(quoted?.where?.line, 4);
    assert.match(quoted?.fix ?? '', /quotes/);
    const [metric] = judge(swapped('primary: top1', 'primary: acc'));
    assert.equal(metric?.where?.line, 18);
  });

  it('reads YAML 1.2: no and yes stay texts', () => {
    const parsed = parseManifest(swapped('title: Tiny classifier', 'title: yes no'));
    assert.ok('manifest' in parsed);
    assert.equal(parsed.manifest.title, 'yes no');
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => void parseManifest(text)),
      { numRuns: 300 },
    );
    const piece = fc.constantFrom(
      'a: ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '&x ',
      '*x',
      '!t ',
      '"',
      '\n',
      '  ',
      '? ',
      '---\n',
      '<<: ',
      '|\n',
      '#',
    );
    fc.assert(
      fc.property(fc.array(piece), (parts) => void parseManifest(parts.join(''))),
      { numRuns: 500 },
    );
  });

  it('has a digest that layout does not change', () => {
    const one = parseManifest(GOOD_YAML);
    const two = parseManifest(`# a comment\n${GOOD_YAML.replace('license: Apache-2.0\n', '')}license: "Apache-2.0"\n`);
    const three = parseManifest(variant(digest));
    assert.ok('manifest' in one && 'manifest' in two && 'manifest' in three);
    assert.equal(manifestDigest(one.manifest), manifestDigest(two.manifest));
    assert.notEqual(manifestDigest(one.manifest), manifestDigest(three.manifest));
    assert.equal(interfaceDigest(one.manifest), interfaceDigest(three.manifest));
  });
});

describe('readLicence', () => {
  it('takes SPDX expressions', () => {
    for (const text of [
      'MIT',
      'Apache-2.0 OR MIT',
      '(MIT AND BSD-3-Clause) OR GPL-3.0-only',
      'LicenseRef-acme',
      'GPL-2.0-only WITH Classpath-exception-2.0',
    ]) {
      assert.equal(readLicence(text).problem, null, text);
    }
  });
  it('refuses the rest and proposes', () => {
    for (const text of ['', 'free', 'MIT OR', '(MIT', 'MIT)', 'MIT MIT', 'GPL-2.0-only WITH nothing']) {
      assert.notEqual(readLicence(text).problem, null, text);
    }
    assert.equal(readLicence('apache-2.0').suggestion, 'Apache-2.0');
    assert.equal(readLicence('AGPL-3.0').suggestion, 'AGPL-3.0-only');
  });
});
