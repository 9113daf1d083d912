import type { FileEntry } from '@trainyard/plugin-sdk';
import type { ByteReply } from '@trainyard/plugin-sdk/api';
import { imageTypeOf } from '@trainyard/plugin-sdk/dataset';
import { notFound } from '../platform/access.ts';
import type { Principal } from '../platform/principal.ts';
import { query } from '../platform/sql.ts';
import type { RunDeps } from './deps.ts';
import { requireRun } from './read-run.ts';

/** A picture as the run saw it, by the path in its predictions: of its own uploaded pictures, or of its dataset. Who sees the run sees it. */
export async function readRunPicture(
  deps: RunDeps,
  principal: Principal,
  input: { run: string; path: string },
): Promise<ByteReply> {
  await requireRun(deps, principal, input.run);
  const [found] = await query<FileEntry>(
    deps.db.pool,
    `select f.path, f.bytes, f.sha256 from (
       select 1 as rank, p.path, p.bytes, p.sha256 from run, picture_set s, jsonb_to_recordset(s.files) as p(path text, bytes bigint, sha256 text)
         where run.id::text = $1 and s.id::text = run.options->>'pictures'
       union all
       select 2, f.path, f.bytes, f.sha256 from run join snapshot_file f on f.snapshot = run.snapshot where run.id::text = $1
     ) f where f.path in ($2, regexp_replace($2, '^images/', ''), 'images/' || $2) order by rank, (f.path = $2) desc limit 1`,
    [input.run, input.path],
  );
  if (found === undefined) throw notFound('picture');
  return {
    stream: await deps.blobs.read('datasets', found.sha256),
    mediaType: imageTypeOf(found.path) ?? 'application/octet-stream',
    bytes: found.bytes,
    etag: found.sha256,
  };
}
