import { Readable } from 'node:stream';
import { Problem } from '@trainyard/plugin-sdk';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../platform/clock.ts';
import { readTicket } from '../platform/signed-token.ts';
import { STORE_NAMES, type BlobStore, type StoreName } from './blob-store.ts';

function storeOf(digest: string): [StoreName, string] {
  const [name, sha256] = digest.split('/');
  const store = STORE_NAMES.find((known) => known === name);
  if (store === undefined) throw new Problem('not-found');
  return [store, sha256 ?? ''];
}

/** Signed addresses, outside the route table: the ticket is the whole permission, so there is nothing to sign in to. */
export function blobRoutes(app: FastifyInstance, deps: { blobs: BlobStore; clock: Clock; ticketSecret: string }): void {
  app.get<{ Params: { ticket: string } }>('/blobs/:ticket', { config: {} }, async (request, reply) => {
    const ticket = readTicket(deps.ticketSecret, request.params.ticket, 'GET', deps.clock.now());
    if (ticket.m !== 'GET') throw new Problem('link-expired');
    const stream = await deps.blobs.read(...storeOf(ticket.digest));
    void reply.header('content-type', ticket.type).header('cache-control', 'private, no-store');
    void reply.header('content-disposition', `attachment; filename="${ticket.name.replace(/[^\w.@+-]/g, '_')}"`);
    return reply.send(Readable.from(stream, { objectMode: false }));
  });
  app.put<{ Params: { ticket: string } }>(
    '/blobs/:ticket',
    { bodyLimit: 64 * 1024 * 1024 * 1024 },
    async (request, reply) => {
      const ticket = readTicket(deps.ticketSecret, request.params.ticket, 'PUT', deps.clock.now());
      if (ticket.m !== 'PUT' || !(request.body instanceof Readable))
        throw new Problem('bad-request', { detail: 'PUT the bytes with content-type application/octet-stream.' });
      const [store, sha256] = storeOf(ticket.digest);
      await deps.blobs.put(store, request.body, { expect: sha256, maxBytes: ticket.bytes });
      return reply.code(204).send();
    },
  );
}
