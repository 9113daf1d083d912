import { createGzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { Problem } from '@trainyard/plugin-sdk';
import { TAR_END, tarEntryHead, tarFiller } from '@trainyard/plugin-sdk/archive';
import type { DatasetFile } from '@trainyard/plugin-sdk/dataset';
import type { FastifyInstance } from 'fastify';
import { query } from '../platform/sql.ts';
import { readTicket } from '../platform/signed-token.ts';
import type { DatasetDeps } from './deps.ts';

interface Row {
  digest: string;
  format: string;
  task: string;
  name: string;
  license: string | null;
  classes: { index: number; name: string; dir?: string }[];
  splits: { name: string; count: number }[];
}

async function* tarOf(deps: DatasetDeps, snapshot: string): AsyncIterable<Uint8Array> {
  const [row] = await query<Row>(
    deps.db.pool,
    'select s.digest, s.format, s.task, s.classes, s.splits, d.name, d.license from snapshot s join dataset d on d.id = s.dataset where s.id = $1',
    [snapshot],
  );
  if (row === undefined) throw new Problem('not-found', { detail: 'There is no such snapshot.' });
  const file: DatasetFile = {
    schema: 'dataset@1',
    name: row.name,
    task: row.task,
    format: row.format,
    digest: row.digest,
    snapshot,
    classes: row.classes.map(({ index, name, dir }) => ({ index, name, ...(dir === undefined ? {} : { dir }) })),
    splits: Object.fromEntries(
      row.splits.map((split) => [split.name, { images: split.name, list: `${split.name}.txt`, count: split.count }]),
    ),
    ...(row.license === null ? {} : { license: row.license }),
  };
  const description = Buffer.from(JSON.stringify(file, null, 1));
  yield Buffer.concat([tarEntryHead('dataset.json', description.length), description, tarFiller(description.length)]);
  const files = await query<{ path: string; sha256: string; bytes: number }>(
    deps.db.pool,
    'select path, sha256, bytes from snapshot_file where snapshot = $1 order by path',
    [snapshot],
  );
  for (const item of files) {
    yield tarEntryHead(item.path, item.bytes);
    yield* await deps.blobs.read('datasets', item.sha256);
    yield tarFiller(item.bytes);
  }
  yield TAR_END;
}

/** A snapshot as one .tar.gz, dataset.json first. The signed ticket in the address is the permission. */
export function snapshotRoutes(app: FastifyInstance, deps: DatasetDeps): void {
  app.get<{ Params: { ticket: string } }>('/snapshots/:ticket', async (request, reply) => {
    const ticket = readTicket(deps.ticketSecret, request.params.ticket, 'SNAPSHOT', deps.clock.now());
    if (ticket.m !== 'SNAPSHOT') throw new Problem('link-expired');
    void reply.header('content-type', 'application/gzip').header('cache-control', 'no-store');
    const packed = createGzip({ level: 1 });
    const source = Readable.from(tarOf(deps, ticket.snapshot), { objectMode: false });
    source.on('error', (error) => packed.destroy(error));
    return reply.send(source.pipe(packed));
  });
}
