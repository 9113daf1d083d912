import { readFile } from 'node:fs/promises';
import { writePackage } from '@trainyard/plugin-sdk/archive';

/** Ways in which plain-trainer.mjs can break the contract. */
export type Flaw =
  | 'config-unnamed'
  | 'describe-chatters'
  | 'describe-hangs'
  | 'describe-lies'
  | 'disk-full-is-70'
  | 'drops-setting'
  | 'failed-with-0'
  | 'floods'
  | 'forgets-loss'
  | 'half-lines'
  | 'ignores-clock'
  | 'ignores-sigterm'
  | 'ignores-unknown-key'
  | 'input-is-1'
  | 'never-ends'
  | 'no-progress'
  | 'output-link'
  | 'predicts-less'
  | 'resume-forgets'
  | 'seq-gap'
  | 'silent-about-val'
  | 'silent-exit'
  | 'skips-images'
  | 'sorts-classes'
  | 'stop-exits-143'
  | 'telephones'
  | 'trains-without-class'
  | 'two-ends'
  | 'undeclared-metric'
  | 'unknown-field'
  | 'unsupported-is-1'
  | 'wrong-digest';

type Tree = Record<string, unknown>;

/** JSON is YAML, so the trainer can read it back without a library. */
const MANIFEST: Tree = {
  apiVersion: 'trainer/v1',
  contract: '^1.0',
  name: '@acme/plain',
  version: '1.0.0',
  title: 'Plain trainer',
  summary: 'Counts steps and keeps the contract without any SDK.',
  license: 'Apache-2.0',
  authors: [{ name: 'Acme Vision' }],
  keywords: ['classification', 'test'],
  framework: { name: 'plain', version: '1.0.0' },
  entrypoint: ['node', '{package}/trainer.mjs'],
  local: { requires: { node: '>=22' } },
  tasks: [
    {
      id: 'classify',
      datasets: ['imagefolder@1'],
      metrics: { primary: 'top1', direction: 'max', declared: ['top1', 'loss'] },
      predictions: 'classification@1',
    },
  ],
  models: [{ id: 'counter', title: 'Counter', tasks: ['classify'], params: 1, probe: true }],
  capabilities: {
    commands: ['describe', 'validate', 'train', 'evaluate', 'predict'],
    resume: 'epoch',
    stop: 'checkpoint',
    devices: ['cpu'],
    determinism: 'seeded',
  },
  resources: { min: { cpu: 1, memory: '1Gi' }, grace: 10 },
  config: { schema: 'config.schema.json', presets: 'presets.json' },
};

const SCHEMA: Tree = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  'x-ui': { groups: [{ id: 'basic', title: 'Basics' }] },
  properties: {
    epochs: { type: 'integer', minimum: 1, maximum: 10_000, default: 5, title: 'Epochs', 'x-ui': { group: 'basic' } },
    batch: { type: 'integer', minimum: 1, maximum: 512, default: 8, title: 'Batch', 'x-ui': { group: 'basic' } },
  },
};

const README = `# Plain trainer

${'It counts steps and says so, which is all that a test of the platform needs. '.repeat(6)}
`;

/** The plain trainer as a package. `manifest` replaces keys of trainer.yaml; undefined removes one. */
export async function plainPackage(
  flaws: readonly Flaw[] = [],
  changes: { readonly manifest?: Tree; readonly files?: Readonly<Record<string, string>> } = {},
): Promise<Buffer> {
  const files: Record<string, string> = {
    'package.json': JSON.stringify({
      name: '@acme/plain',
      version: '1.0.0',
      license: 'Apache-2.0',
      keywords: ['trainyard-trainer'],
    }),
    'trainer.yaml': JSON.stringify({ ...MANIFEST, ...changes.manifest }, null, 1),
    'config.schema.json': JSON.stringify(SCHEMA),
    'presets.json': JSON.stringify([{ id: 'balanced', title: 'Balanced', description: 'The defaults.', values: {} }]),
    'README.md': README,
    LICENSE: 'Apache License\nVersion 2.0, January 2004\n',
    'CHANGELOG.md': '# Changelog\n\n## 1.0.0\n\n- First.\n',
    'flaws.json': JSON.stringify(flaws),
    'trainer.mjs': await readFile(new URL('./plain-trainer.mjs', import.meta.url), 'utf8'),
    ...changes.files,
  };
  return writePackage(Object.entries(files).map(([path, text]) => ({ path, bytes: Buffer.from(text) })));
}
