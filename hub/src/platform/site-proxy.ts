import { request as httpRequest } from 'node:http';
import { Problem } from '@trainyard/plugin-sdk';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
]);
const NOT_READY = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>Trainyard</title><p style="font:16px system-ui;margin:3rem">Trainyard is starting. This page opens by itself in a moment.</p>`;

/** Everything that is not the API is the site, behind the same address. Streams both ways; the site sees the visitor's own headers. */
export function siteProxy(app: FastifyInstance, siteUrl: string, publicUrl: (request: FastifyRequest) => string): void {
  const target = new URL(siteUrl);
  async function forward(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (request.raw.url?.startsWith('/api/') === true)
      throw new Problem('not-found', { detail: `Nothing answers ${request.method} here.` });
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(request.headers))
      if (value !== undefined && !HOP_BY_HOP.has(name)) headers[name] = value;
    const origin = new URL(publicUrl(request));
    headers['x-forwarded-proto'] = origin.protocol.slice(0, -1);
    headers['x-forwarded-host'] = origin.host;
    headers['x-forwarded-for'] = request.ip;
    reply.hijack();
    const upstream = httpRequest(
      { host: target.hostname, port: target.port, method: request.method, path: request.raw.url, headers },
      (response) => {
        const out: Record<string, string | string[]> = {};
        for (const [name, value] of Object.entries(response.headers))
          if (value !== undefined && !HOP_BY_HOP.has(name)) out[name] = value;
        reply.raw.writeHead(response.statusCode ?? 502, out);
        response.pipe(reply.raw);
      },
    );
    upstream.on('error', () => {
      if (reply.raw.headersSent) reply.raw.destroy();
      else
        reply.raw
          .writeHead(503, {
            'content-type': 'text/html; charset=utf-8',
            'retry-after': '2',
            'cache-control': 'no-store',
          })
          .end(NOT_READY);
    });
    reply.raw.on('close', () => upstream.destroy());
    request.raw.pipe(upstream);
    return reply;
  }
  void app.register(async (room) => {
    room.removeAllContentTypeParsers();
    room.addContentTypeParser('*', (_request, _payload, done) => done(null));
    room.all('/*', forward);
  });
}
