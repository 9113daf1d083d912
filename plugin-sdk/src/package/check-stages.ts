import type { Finding, Stage } from '../finding.ts';

/** The checks readPackage runs, by the stage of the report they belong to; in the order of the catalogue (security.md §16.1-16.4). */
export const PACKAGE_CHECKS = {
  package: [
    'unsupported-media',
    'archive-malformed',
    'archive-too-large',
    'archive-too-many-entries',
    'archive-unsafe-path',
    'archive-link',
    'archive-entry-type',
    'archive-mode',
    'archive-duplicate',
    'archive-layout',
    'json-too-deep',
    'text-unsafe',
    'install-script',
    'dependency-source',
    'package-secret',
  ],
  manifest: [
    'manifest-invalid',
    'manifest-mismatch',
    'name-invalid',
    'version-invalid',
    'contract-unsupported',
    'licence-spdx',
    'readme-present',
    'readme-not-template',
    'changelog-entry',
    'image-digest-pinned',
    'task-known',
    'dataset-format-known',
    'format-known',
    'model-unique',
    'matrix-consistent',
    'probe-per-task',
    'metrics-canonical',
    'options-pointer',
    'weights-licence',
  ],
  config: [
    'schema-invalid',
    'schema-forbidden',
    'schema-too-large',
    'schema-too-deep',
    'schema-too-complex',
    'schema-cycle',
    'schema-ref',
    'schema-id',
    'schema-pattern',
    'schema-name',
    'defaults-valid',
    'presets-valid',
    'x-ui-known',
    'secret-default',
  ],
} as const satisfies Partial<Record<Stage, readonly string[]>>;

/** Null for checks of other stages. */
export function packageStageOf(check: string): keyof typeof PACKAGE_CHECKS | null {
  for (const stage of ['package', 'manifest', 'config'] as const) {
    if (PACKAGE_CHECKS[stage].some((known) => known === check)) return stage;
  }
  return null;
}

/** Stable: by stage, within a stage as found. */
export function inStageOrder(findings: readonly Finding[]): Finding[] {
  const rank = (finding: Finding): number => {
    const stage = packageStageOf(finding.check);
    return stage === null ? 3 : ['package', 'manifest', 'config'].indexOf(stage);
  };
  return [...findings].sort((a, b) => rank(a) - rank(b));
}
