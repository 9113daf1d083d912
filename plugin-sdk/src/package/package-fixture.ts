import { writePackage } from '../archive/index.ts';

/** A small good package for tests, and the same with one thing changed. */

export const GOOD_YAML = `apiVersion: trainer/v1
contract: "^1.0"
name: "@acme/tiny-classifier"
version: 1.2.3
title: Tiny classifier
summary: Trains a very small network on folders of images.
license: Apache-2.0
authors: [{ name: Acme Vision }]
keywords: [classification]
framework: { name: numpy, version: "2.0.0" }
entrypoint: [python, "{package}/src/main.py"]
local:
  requires: { python: ">=3.10" }
  env: { PYTHONPATH: "{package}/src" }
tasks:
  - id: classify
    datasets: [imagefolder@1]
    metrics: { primary: top1, direction: max, declared: [top1, loss] }
    predictions: classification@1
models:
  - { id: tiny, title: Tiny, tasks: [classify], params: 1000, probe: true, input: { default: 64, min: 32, max: 256, step: 32, channels: 3 } }
  - { id: small, tasks: [classify], weights: [{ id: base, source: bundled, sha256: "${'ab'.repeat(32)}", bytes: 10, license: MIT }] }
exports:
  - { format: onnx, tasks: [classify], precisions: [fp32], dynamic: [batch], wrappers: [python], options: "#/$defs/exportOnnx" }
capabilities:
  commands: [describe, validate, train, evaluate, predict, export]
  resume: epoch
  stop: checkpoint
  distributed: { mode: none, maxNodes: 1 }
  precision: [fp32]
  devices: [cpu]
  determinism: seeded
resources: { min: { cpu: 1, memory: 1Gi }, grace: 30 }
config: { schema: config.schema.json, presets: presets.json }
`;

export const GOOD_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  'x-ui': { groups: [{ id: 'basic', title: 'Basics' }] },
  properties: {
    epochs: { type: 'integer', minimum: 1, maximum: 100, default: 5, title: 'Epochs', 'x-ui': { group: 'basic' } },
    learning_rate: { type: 'number', exclusiveMinimum: 0, maximum: 1, default: 0.01, title: 'Learning rate' },
  },
  $defs: {
    exportOnnx: {
      type: 'object',
      additionalProperties: false,
      properties: { opset: { type: 'integer', minimum: 13, maximum: 20, default: 17 } },
    },
  },
};

export const GOOD_PRESETS = [
  { id: 'balanced', title: 'Balanced', description: 'The defaults.', values: {} },
  {
    id: 'fast-check',
    title: 'Fast check',
    description: 'To see that the data is right.',
    model: 'tiny',
    values: { epochs: 1 },
  },
];

export const GOOD_PACKAGE_JSON = {
  name: '@acme/tiny-classifier',
  version: '1.2.3',
  license: 'Apache-2.0',
  keywords: ['trainyard-trainer'],
};

const README = `# Tiny classifier

Trains a very small network on folders of images, one folder for each class. It needs no GPU and a few seconds for a hundred pictures, so it is made for
trying things out: does the dataset have the right form, do the labels make sense, does the machine work. Take something larger for anything that should be
accurate. It learns from RGB images of 32 to 256 pixels and exports ONNX.
`;

export function goodFiles(): Map<string, string> {
  return new Map([
    ['package.json', JSON.stringify(GOOD_PACKAGE_JSON)],
    ['trainer.yaml', GOOD_YAML],
    ['config.schema.json', JSON.stringify(GOOD_SCHEMA)],
    ['presets.json', JSON.stringify(GOOD_PRESETS)],
    ['README.md', README],
    ['LICENSE', 'Apache License\nVersion 2.0, January 2004\n'],
    ['CHANGELOG.md', '# Changelog\n\n## 1.2.3\n\n- First.\n'],
    ['src/main.py', 'print("hello")\n'],
  ]);
}

/** A packed package; null removes a file. */
export function packedPackage(changes: Readonly<Record<string, string | null>> = {}): Buffer {
  const files = goodFiles();
  for (const [path, text] of Object.entries(changes)) {
    if (text === null) files.delete(path);
    else files.set(path, text);
  }
  return writePackage([...files].map(([path, text]) => ({ path, bytes: Buffer.from(text) })));
}
