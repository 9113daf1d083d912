import type { RunJobSpec } from '@trainyard/plugin-sdk';
import type { RunInput } from '@trainyard/plugin-sdk/api';
import type { ReleaseRow } from '../../trainers/find-release.ts';
import type { Complaints } from './complaints.ts';

/** Pure: what is exported, as the release claims it for this task and model; null for other verbs. */
export function chooseExport(
  release: ReleaseRow,
  task: string,
  model: string,
  input: RunInput,
  complaints: Complaints,
): NonNullable<RunJobSpec['export']> | null {
  if (input.verb !== 'export') return null;
  const format = input.format ?? 'onnx';
  const claim = release.manifest.exports?.find(
    (entry) =>
      entry.format === format && (entry.tasks?.includes(task) ?? true) && (entry.models?.includes(model) ?? true),
  );
  if (claim === undefined) {
    const formats = release.exports.join(', ');
    complaints.add(
      'unsupported.format',
      `This trainer does not export ${format}.`,
      formats === '' ? 'It exports nothing.' : `It exports: ${formats}.`,
      { pointer: '/format' },
    );
  }
  return {
    format,
    precision: claim?.precisions?.[0] ?? 'fp32',
    dynamic: (claim?.dynamic ?? []).filter((axis) => axis === 'batch'),
    options: input.options ?? {},
  };
}
