import { PACKAGE_CHECKS } from '@trainyard/plugin-sdk/package';
import type { Severity, Stage } from '@trainyard/plugin-sdk';
import type { Act, Check } from './check.ts';

/**
 * Checks of the stages package, manifest and config. Their code is `readPackage` of plugin-sdk, which the hub's intake calls too, so a refusal at
 * the door and a report can never disagree. Their ids and stages are those of plugin-sdk; here stands what an error does.
 */

type IntakeId = (typeof PACKAGE_CHECKS)[keyof typeof PACKAGE_CHECKS][number];

interface IntakeRow {
  readonly looks: string;
  readonly fix: string;
  readonly severity?: Severity;
  readonly act?: Act;
  readonly required?: boolean;
}

function row(looks: string, fix: string, flags: Omit<IntakeRow, 'looks' | 'fix'> = {}): IntakeRow {
  return { looks, fix, ...flags };
}

const WARNING = { severity: 'warning', act: 'none' } as const;

const ROWS: Readonly<Record<IntakeId, IntakeRow>> = {
  'unsupported-media': row('a gzip-compressed tar, by its content', 'Pack with `trainyard pack`.'),
  'archive-malformed': row('headers, checksums and the end of the archive', 'Pack again with `trainyard pack`.'),
  'archive-too-large': row('packed and unpacked size, each file, the ratio', 'Move weights out of the package.'),
  'archive-too-many-entries': row('at most 5,000 entries', 'Leave out generated folders.'),
  'archive-unsafe-path': row('relative, portable paths without tricks', 'Rename the file.'),
  'archive-link': row('no hard or symbolic links', 'Replace the link by the file.'),
  'archive-entry-type': row('files and folders only', 'Remove the entry.'),
  'archive-mode': row('no special mode bits', 'Pack again with `trainyard pack`.'),
  'archive-duplicate': row('every path once, also when case is ignored', 'Rename or remove one of the two.'),
  'archive-layout': row('one root `package/` with the required files', 'Add the missing file.'),
  'json-too-deep': row('nesting and number of values of JSON and YAML', 'Make the file flatter and shorter.'),
  'text-unsafe': row('size and nesting of texts', 'Shorten the text.', { required: false }),
  'install-script': row('no lifecycle scripts, no bin, no native build', 'Remove them: a package runs nothing.'),
  'dependency-source': row('dependencies from the registry only', 'Publish the dependency, or remove it.'),
  'package-secret': row('no keys and tokens in text files', 'Remove it and make it invalid where it was issued.', {
    act: 'quarantined',
  }),
  'manifest-invalid': row('the shape of trainer.yaml and package.json', 'Change the key that the finding names.'),
  'manifest-mismatch': row(
    'trainer.yaml, package.json and the request agree',
    'Write the same name and version in all.',
  ),
  'name-invalid': row('@owner/name in lower case, no reserved words', 'Choose another name.'),
  'version-invalid': row('a strict semantic version', 'Write it as 1.2.3.'),
  'contract-unsupported': row('the contract range includes a supported version', 'Write contract: "^1.0".'),
  'licence-spdx': row('an SPDX expression, with its text in LICENSE', 'Write an SPDX identifier, or LicenseRef-….'),
  'readme-present': row('README.md with at least 300 visible characters', 'Say what it is and what to expect.', {
    required: false,
  }),
  'readme-not-template': row('no sentences left from the scaffold', 'Replace them by your own.', WARNING),
  'changelog-entry': row('CHANGELOG.md has a heading for this version', 'Add the heading.', WARNING),
  'image-digest-pinned': row('images are named by digest', 'Write @sha256:… instead of a tag.'),
  'task-known': row('tasks of the closed list', 'Use the nearest word of the list.'),
  'dataset-format-known': row('dataset formats with their version', 'Write for example imagefolder@1.'),
  'format-known': row('export formats and precisions of the closed list', 'Use a word of the list.'),
  'model-unique': row('every model id once; patterns that can be checked', 'Rename one of the two.'),
  'matrix-consistent': row('models and exports refer to what is declared', 'Declare it, or remove the reference.'),
  'probe-per-task': row('a probe model for each task', 'Add `probe: true` to a small model of the task.'),
  'metrics-canonical': row('the primary metric is that of the task', 'Use the canonical name.'),
  'options-pointer': row('schemas of export options exist', 'Write #/$defs/<name>.'),
  'weights-licence': row('every weight source has digest and licence', 'Add sha256 and license.', { required: false }),
  'schema-invalid': row('JSON Schema 2020-12 that compiles', 'Correct the schema at this place.'),
  'schema-forbidden': row('keywords of the dialect only', 'Use the allowed alternative.'),
  'schema-too-large': row('bytes, properties and choices', 'Offer fewer settings.'),
  'schema-too-deep': row('nesting', 'Make it flatter.'),
  'schema-too-complex': row('expanded size and time to compile', 'Use fewer branches and references.'),
  'schema-cycle': row('references without a circle', 'Break the circle.'),
  'schema-ref': row('references into $defs only', 'Move it into $defs.'),
  'schema-id': row('no $id and no anchors', 'Remove it.'),
  'schema-pattern': row('patterns that take linear time', 'Avoid look-around and back references.'),
  'schema-name': row('names of settings', 'Use letters, digits and _.'),
  'defaults-valid': row('every default fits its own bounds', 'Change the default or the bounds.'),
  'presets-valid': row('every preset resolves and fits the schema', 'Change the value that the finding names.'),
  'x-ui-known': row('hints for the form that are known', 'Use a known word.', WARNING),
  'secret-default': row('no secrets as defaults', 'Remove it and make it invalid.', {
    act: 'quarantined',
    required: false,
  }),
};

const FILE = 'plugin-sdk/src/package/read-package.ts';

function checkOf(id: string, stage: Stage, file: string, { looks, fix, ...flags }: IntakeRow): Check {
  const { severity = 'error', act = 'rejected' } = flags;
  const enforced = act !== 'none';
  return { id, stage, severity, act, enforced, required: flags.required ?? enforced, file, looks, fix };
}

export const INTAKE_CHECKS: readonly Check[] = [
  ...PACKAGE_CHECKS.package.map((id) => checkOf(id, 'package', FILE, ROWS[id])),
  checkOf('digest-mismatch', 'package', 'validator/src/validate.ts', {
    looks: 'the bytes are those that were announced',
    fix: 'Upload the package again.',
  }),
  ...PACKAGE_CHECKS.manifest.map((id) => checkOf(id, 'manifest', FILE, ROWS[id])),
  ...PACKAGE_CHECKS.config.map((id) => checkOf(id, 'config', FILE, ROWS[id])),
];
