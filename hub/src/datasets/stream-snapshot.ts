import { createGzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { Problem } from '@trainyard/plugin-sdk';
import { TAR_END, tarEntryHead, tarFiller } from '@trainyard/plugin-sdk/archive';
import type { FastifyInstance } from 'fastify';
import { query } from '../platform/sql.ts';
import { readTicket } from '../platform/signed-token.ts';
import type { DatasetDeps } from './deps.ts';
import { datasetFileOf, type StoredDataset } from './snapshot-file.ts';

type Row = StoredDataset & { readonly view: string | null; readonly name: string; readonly license: string | null };

/** The snapshot itself, or the view of it that has this digest. */
async function findContent(deps: Pick<DatasetDeps, 'db'>, snapshot: string, digest: string | null): Promise<Row> {
  const [row] = await query<Row>(
    deps.db.pool,
    `select v.id as view, coalesce(v.digest, s.digest) as digest, coalesce(v.format, s.format) as format, coalesce(v.task, s.task) as task,
       coalesce(v.classes, s.classes) as classes, case when v.id is null then s.keypoints else v.keypoints end as keypoints,
       coalesce(v.layout, s.layout) as layout, s.splits, d.name, d.license
     from snapshot s join dataset d on d.id = s.dataset left join snapshot_view v on v.snapshot = s.id and v.digest = $2
     where s.id::text = $1 and ($2::text is null or s.digest = $2 or v.id is not null)`,
    [snapshot, digest],
  );
  if (row === undefined) throw new Problem('not-found', { detail: 'There is no such snapshot.' });
  return row;
}

async function* tarOf(deps: DatasetDeps, snapshot: string, digest: string | null): AsyncIterable<Uint8Array> {
  const row = await findContent(deps, snapshot, digest);
  const description = Buffer.from(JSON.stringify(datasetFileOf(row, { ...row, snapshot }), null, 1));
  yield Buffer.concat([tarEntryHead('dataset.json', description.length), description, tarFiller(description.length)]);
  const files = await query<{ path: string; sha256: string; bytes: number }>(
    deps.db.pool,
    row.view === null
      ? 'select path, sha256, bytes from snapshot_file where snapshot = $1 order by path'
      : 'select path, sha256, bytes from snapshot_view_file where view = $1 order by path',
    [row.view ?? snapshot],
  );
  for (const item of files) {
    yield tarEntryHead(item.path, item.bytes);
    let sent = 0;
    for await (const part of await deps.blobs.read('datasets', item.sha256)) {
      sent += part.byteLength;
      yield part;
    }
    // A file that is shared with a folder of this machine may have been changed there.
    if (sent !== item.bytes) throw new Error(`${item.path} has ${sent} bytes instead of ${item.bytes}`);
    yield tarFiller(item.bytes);
  }
  yield TAR_END;
}

/** One .tar.gz, dataset.json first. */
export function packedSnapshot(deps: DatasetDeps, snapshot: string, digest: string | null): Readable {
  const packed = createGzip({ level: 1 });
  const source = Readable.from(tarOf(deps, snapshot, digest), { objectMode: false });
  source.on('error', (error) => packed.destroy(error));
  packed.on('close', () => source.destroy());
  return source.pipe(packed);
}

/** For agents. The signed ticket in the address is the permission. */
export function snapshotRoutes(app: FastifyInstance, deps: DatasetDeps): void {
  app.get<{ Params: { ticket: string } }>('/snapshots/:ticket', async (request, reply) => {
    const ticket = readTicket(deps.ticketSecret, request.params.ticket, 'SNAPSHOT', deps.clock.now());
    if (ticket.m !== 'SNAPSHOT') throw new Problem('link-expired');
    void reply.header('content-type', 'application/gzip').header('cache-control', 'no-store');
    return reply.send(packedSnapshot(deps, ticket.snapshot, ticket.digest ?? null));
  });
}
