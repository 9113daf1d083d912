import type { FileEntry, RunJobSpec } from '@trainyard/plugin-sdk';
import type { RunInput } from '@trainyard/plugin-sdk/api';
import { canRead, notFound } from '../../platform/access.ts';
import type { Principal } from '../../platform/principal.ts';
import { query } from '../../platform/sql.ts';
import type { RunDeps } from '../deps.ts';
import type { Complaints } from './complaints.ts';

const SOME = 24;
const MOST = 5000;
const TOP_K = 5;

/** Pictures that a prediction looks at, none for other verbs: those uploaded for it, those named, a whole split, or some of val and test. */
export async function chooseImages(
  deps: RunDeps,
  principal: Principal,
  snapshot: string | null,
  input: RunInput,
): Promise<FileEntry[]> {
  if (input.verb !== 'predict') return [];
  if (input.pictures !== undefined) return uploadedPictures(deps, principal, input.pictures);
  if (snapshot === null) return [];
  const { images, split } = input;
  const limit = images === undefined && split === undefined ? SOME : MOST;
  return query<FileEntry>(
    deps.db.pool,
    `select path, bytes, sha256 from snapshot_file where snapshot = $1 and case when $2::text[] is not null then path = any($2)
       when $3::text is not null then split = $3 else split in ('val', 'test') end and path ~* '\\.(png|jpe?g|webp|bmp)$' and path !~ '^masks/' order by md5(path) limit $4`,
    [snapshot, images ?? null, split ?? null, limit],
  );
}

async function uploadedPictures(deps: RunDeps, principal: Principal, set: string): Promise<FileEntry[]> {
  const [row] = await query<{ organization_id: string; files: FileEntry[] }>(
    deps.db.pool,
    'select organization_id, files from picture_set where id::text = $1',
    [set],
  );
  if (row === undefined || !canRead(principal, { organizationId: row.organization_id, visibility: 'private' }))
    throw notFound('set of pictures');
  return row.files;
}

/** Pure. */
export function checkImages(images: readonly FileEntry[], input: RunInput, complaints: Complaints): void {
  if (input.verb === 'predict' && images.length === 0)
    complaints.add('dataset-missing', 'There is no picture to predict.', 'Choose a dataset with pictures.', {
      pointer: '/images',
    });
}

/** Pure. */
export function predictRules(input: RunInput): Omit<NonNullable<RunJobSpec['predict']>, 'images'> {
  return {
    topK: input.topK ?? TOP_K,
    ...(input.maxDetections === undefined ? {} : { maxDetections: input.maxDetections }),
  };
}
