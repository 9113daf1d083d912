import { query, type Queryable } from '../platform/sql.ts';
import type { BlobStore, StoreName } from './blob-store.ts';

/** Removes bytes nobody uses for a day. Looks, acts, records; may run twice and beside uploads: a blob used again in between keeps its row. */
export async function collectGarbage(
  deps: { db: Queryable; blobs: BlobStore },
  olderThanHours = 24,
): Promise<{ removed: number; bytes: number }> {
  await forgetPictures(deps.db, olderThanHours);
  const rows = await query<{ store: StoreName; sha256: string; bytes: string }>(
    deps.db,
    `delete from blob b where created_at < now() - make_interval(hours => $1)
       and not exists (select 1 from blob_use u where u.store = b.store and u.sha256 = b.sha256) returning store, sha256, bytes`,
    [olderThanHours],
  );
  for (const row of rows) await deps.blobs.delete(row.store, row.sha256);
  return { removed: rows.length, bytes: rows.reduce((sum, row) => sum + Number(row.bytes), 0) };
}

/** Pictures that were brought for a prediction nobody started. */
async function forgetPictures(db: Queryable, olderThanHours: number): Promise<void> {
  await query(
    db,
    `with gone as (
       delete from picture_set p where created_at < now() - make_interval(hours => $1)
         and not exists (select 1 from run where run.options->>'pictures' = p.id::text) returning id
     ) delete from blob_use u using gone where u.owner_kind = 'pictures' and u.owner_id = gone.id::text`,
    [olderThanHours],
  );
}
