import type { Severity, Stage } from '@trainyard/plugin-sdk';
import type { Act, Check } from './check.ts';

/**
 * Checks of the stages package, manifest and config. Their code is `readPackage` of plugin-sdk, which the hub's intake calls too, so a refusal at
 * the door and a report can never disagree.
 */

interface Flags {
  readonly severity?: Severity;
  readonly act?: Act;
  readonly required?: boolean;
}

function rows(stage: Stage, file: string, list: readonly (readonly [string, string, string, Flags?])[]): Check[] {
  return list.map(([id, looks, fix, flags = {}]) => {
    const severity = flags.severity ?? 'error';
    const act = flags.act ?? (severity === 'error' ? 'rejected' : 'none');
    return {
      id,
      stage,
      severity,
      act,
      enforced: act !== 'none',
      required: flags.required ?? act !== 'none',
      file,
      looks,
      fix,
    };
  });
}

const WARNING: Flags = { severity: 'warning' };
const SDK = 'plugin-sdk/src';

export const INTAKE_CHECKS: readonly Check[] = [
  ...rows('package', `${SDK}/archive/tar-index.ts`, [
    ['unsupported-media', 'the file is a gzip-compressed tar, by its content', 'Pack with `trainyard pack`.'],
    ['archive-malformed', 'headers, checksums and the end of the archive', 'Pack again with `trainyard pack`.'],
    ['archive-too-large', 'packed and unpacked size, size of each file, ratio', 'Move weights out of the package.'],
    ['archive-too-many-entries', 'at most 5,000 entries', 'Leave out generated folders.'],
    ['archive-unsafe-path', 'relative, portable paths without tricks', 'Rename the file.'],
    ['archive-link', 'no hard or symbolic links', 'Replace the link by the file.'],
    ['archive-entry-type', 'files and folders only', 'Remove the entry.'],
    ['archive-mode', 'no special mode bits', 'Pack again with `trainyard pack`.'],
    ['archive-duplicate', 'every path once, also when case is ignored', 'Rename or remove one of the two.'],
    ['archive-layout', 'one root `package/` with the required files', 'Add the missing file.'],
    ['digest-mismatch', 'the bytes are those that were announced', 'Upload the package again.'],
  ]),
  ...rows('package', `${SDK}/manifest/check-package-json.ts`, [
    ['install-script', 'no lifecycle scripts, no bin, no native build', 'Remove them: a trainer package runs nothing.'],
    ['dependency-source', 'dependencies from the registry only', 'Publish the dependency, or remove it.'],
  ]),
  ...rows('package', `${SDK}/package/secret-check.ts`, [
    [
      'package-secret',
      'no keys and tokens in text files',
      'Remove it and make it invalid where it was issued.',
      { act: 'quarantined' },
    ],
  ]),
  ...rows('manifest', `${SDK}/manifest/check-manifest.ts`, [
    ['json-too-deep', 'nesting and number of values of JSON and YAML files', 'Make the file flatter and shorter.'],
    [
      'manifest-invalid',
      'trainer.yaml and package.json have the shape of the contract',
      'Change the key that the finding names.',
    ],
    [
      'manifest-mismatch',
      'trainer.yaml, package.json and the request agree',
      'Write the same name and version in all.',
    ],
    ['name-invalid', '@owner/name in lower case, no reserved words', 'Choose another name.'],
    ['version-invalid', 'a strict semantic version', 'Write it as 1.2.3.'],
    ['contract-unsupported', 'the contract range includes a supported version', 'Write contract: "^1.0".'],
    ['licence-spdx', 'an SPDX expression, with its text in LICENSE', 'Write an SPDX identifier, or LicenseRef-….'],
    [
      'readme-present',
      'README.md with at least 300 visible characters',
      'Say what it is, which data it wants, what to expect.',
      { required: false },
    ],
    ['readme-not-template', 'no sentences left from the scaffold', 'Replace them by your own.', WARNING],
    ['text-unsafe', 'size and nesting of texts', 'Shorten the text.', { required: false }],
    ['changelog-entry', 'CHANGELOG.md has a heading for this version', 'Add the heading.', WARNING],
    ['task-known', 'tasks of the closed list', 'Use the nearest word of the list.'],
    ['dataset-format-known', 'dataset formats with their version', 'Write for example imagefolder@1.'],
    ['format-known', 'export formats and precisions of the closed list', 'Use a word of the list.'],
    ['model-unique', 'every model id once; patterns that can be checked', 'Rename one of the two.'],
    [
      'matrix-consistent',
      'models and exports refer to declared tasks, models and formats',
      'Declare it, or remove the reference.',
    ],
    ['probe-per-task', 'a probe model for each task', 'Add `probe: true` to a small model of the task.'],
    ['metrics-canonical', 'the primary metric is that of the task', 'Use the canonical name.'],
    ['options-pointer', 'schemas of export options exist', 'Write #/$defs/<name>.'],
    ['weights-licence', 'every weight source has digest and licence', 'Add sha256 and license.', { required: false }],
  ]),
  ...rows('config', `${SDK}/config/dialect.ts`, [
    ['schema-invalid', 'JSON Schema 2020-12 that compiles', 'Correct the schema at this place.'],
    ['schema-forbidden', 'keywords of the dialect only', 'Use the allowed alternative.'],
    ['schema-too-large', 'bytes, properties and choices', 'Offer fewer settings.'],
    ['schema-too-deep', 'nesting', 'Make it flatter.'],
    ['schema-too-complex', 'expanded size and time to compile', 'Use fewer branches and references.'],
    ['schema-cycle', 'references without a circle', 'Break the circle.'],
    ['schema-ref', 'references into $defs only', 'Move it into $defs.'],
    ['schema-id', 'no $id and no anchors', 'Remove it.'],
    ['schema-pattern', 'patterns that take linear time', 'Avoid look-around and back references.'],
    ['schema-name', 'names of settings', 'Use letters, digits and _.'],
    [
      'secret-default',
      'no secrets as defaults',
      'Remove it and make it invalid.',
      { act: 'quarantined', required: false },
    ],
  ]),
  ...rows('config', `${SDK}/package/read-package.ts`, [
    ['defaults-valid', 'every default fits its own bounds', 'Change the default or the bounds.'],
    ['presets-valid', 'every preset resolves and fits the schema', 'Change the value that the finding names.'],
    ['x-ui-known', 'hints for the form that are known', 'Use a known word.', WARNING],
  ]),
];
