import { TASKS } from '@trainyard/plugin-sdk';
import type { RunInput } from '@trainyard/plugin-sdk/api';
import { wayTo } from '../../datasets/ensure-view.ts';
import { canRead, notFound } from '../../platform/access.ts';
import type { Principal } from '../../platform/principal.ts';
import { query } from '../../platform/sql.ts';
import type { ReleaseRow } from '../../trainers/find-release.ts';
import type { RunDeps } from '../deps.ts';
import type { Complaints } from './complaints.ts';
import type { ParentRow } from './read-parent.ts';

export interface SnapshotRow {
  id: string;
  digest: string;
  format: string;
  task: string;
  splits: { name: string; count: number }[];
  organization_id: string;
  visibility: string;
  name: string;
}

/** The form in which the trainer gets a snapshot. */
export interface Delivered {
  readonly task: string;
  readonly format: string;
}

/** The snapshot that is named, the newest of the dataset that is named, or the parent's; null when there is none. Throws 404. */
export async function readSnapshot(
  deps: RunDeps,
  principal: Principal,
  input: RunInput,
  parent: ParentRow | null,
): Promise<SnapshotRow | null> {
  const named = input.snapshot !== undefined || input.dataset !== undefined;
  const snapshot = named ? input.snapshot : (parent?.snapshot ?? undefined);
  if (snapshot === undefined && input.dataset === undefined) return null;
  const [row] = await query<SnapshotRow>(
    deps.db.pool,
    `select s.id, s.digest, s.format, s.task, s.splits, d.organization_id, d.visibility, d.name from snapshot s join dataset d on d.id = s.dataset
     where d.deleted_at is null and (s.id::text = $1 or ($1::text is null and d.id::text = $2)) order by s.number desc limit 1`,
    [snapshot ?? null, input.dataset ?? null],
  );
  if (row === undefined || !canRead(principal, { organizationId: row.organization_id, visibility: row.visibility }))
    throw notFound('dataset');
  return row;
}

/** Pure: the form in which the trainer gets the snapshot; null when there is none. Predict needs no labels, so any pictures will do. */
export function checkDataset(
  release: ReleaseRow,
  task: string,
  snapshot: SnapshotRow | null,
  verb: string,
  complaints: Complaints,
): Delivered | null {
  if (snapshot === null) {
    if (verb === 'train' || verb === 'evaluate')
      complaints.add('dataset-missing', 'No dataset is chosen.', 'Choose a dataset, or upload one.', {
        pointer: '/dataset',
        href: '/datasets/new',
      });
    return null;
  }
  const formats = release.manifest.tasks.find((entry) => entry.id === task)?.datasets ?? [];
  const way = wayTo(snapshot, task, formats);
  if (verb === 'predict') return way === null || way.converted ? null : way.to;
  if (way === null) {
    const title = task in TASKS ? TASKS[task as keyof typeof TASKS].title : task;
    complaints.add(
      'dataset-mismatch',
      `${snapshot.name} is ${snapshot.format} for ${snapshot.task}; ${title} here needs ${formats.join(' or ') || 'another format'}.`,
      'Choose another dataset.',
      { pointer: '/dataset' },
    );
    return null;
  }
  if (way.converted)
    complaints.warn(
      way.loses === null ? 'dataset-converted' : 'dataset-converted-lossy',
      `${snapshot.name} is ${snapshot.format} for ${snapshot.task}; the trainer gets it converted to ${way.to.format}. ${
        way.loses === null ? 'No label is lost.' : `On the way ${way.loses}.`
      }`,
    );
  const counts = new Map(snapshot.splits.map((split) => [split.name, split.count]));
  for (const split of verb === 'train' ? ['train', 'val'] : []) {
    if ((counts.get(split) ?? 0) === 0)
      complaints.add(
        'dataset-empty-split',
        `${snapshot.name} has no pictures in ${split}.`,
        'Upload it again with pictures there.',
        { pointer: '/dataset' },
      );
  }
  return way.to;
}
