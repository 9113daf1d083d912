import { Readable } from 'node:stream';
import multipartPlugin from '@fastify/multipart';
import { Problem, type ProblemError } from '@trainyard/plugin-sdk';
import {
  isEventsPart,
  isMultipartPart,
  isStreamPart,
  ROUTES,
  type AnyRoute,
  type ByteReply,
  type LiveMessage,
  type MultipartBody,
  type Route,
  type UploadedFile,
} from '@trainyard/plugin-sdk/api';
import { Ajv } from 'ajv';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Logger } from 'pino';
import { requireRouteAccess } from './access.ts';
import type { Principal } from './principal.ts';
import { isBadValue } from './sql.ts';
import { storableJson } from './storable-text.ts';

/** What a handler knows about the call besides its input. `signal` fires when the caller hangs up. */
export interface CallContext {
  readonly principal: Principal;
  readonly requestId: string;
  readonly signal: AbortSignal;
  readonly lastEventId: string | null;
  readonly idempotencyKey: string | null;
  readonly mediaType: string;
}
/** A reply that is finished already: bytes of the cache with their tag. */
export class FinishedReply {
  readonly body: Buffer;
  readonly etag: string;
  constructor(body: Buffer, etag: string) {
    this.body = body;
    this.etag = etag;
  }
}
export type Handler<Input, Output> = (input: Input, context: CallContext) => Promise<Output | FinishedReply>;

export interface ServeDeps {
  readonly log: Logger;
  readonly authenticate: (request: FastifyRequest) => Promise<Principal>;
}
/** A live stream asks again whether its reader may still read. */
const RECHECK_SECONDS = 30;
const PING_SECONDS = 15;
const MAX_LIVE_BACKLOG = 1_000_000;

function problemReply(reply: FastifyReply, problem: Problem, requestId: string): FastifyReply {
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (problem.code === 'rate-limited' || problem.code === 'unavailable') void reply.header('retry-after', '5');
  return reply
    .code(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(JSON.stringify(problem.toDocument(requestId)));
}

function isDiskFull(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === '53100')
  );
}

/** Everything that is not a `Problem` is a bug (500, no detail out), except what the platform below says in its own words. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isDiskFull(error))
    return new Problem('storage-full', {
      detail: 'The disk of this installation is full; nothing was stored.',
      fix: 'Free some space, then try again.',
      cause: error,
    });
  if (isBadValue(error))
    return new Problem('bad-request', {
      detail:
        'A value of this request cannot be looked up or stored: text with a NUL, a broken cursor or a number out of range.',
      fix: 'Take ids and cursors from our answers as they are.',
      cause: error,
    });
  if (error instanceof Error && 'statusCode' in error && 'code' in error) {
    const validation: unknown = Reflect.get(error, 'validation');
    if (Array.isArray(validation)) {
      const part = String(Reflect.get(error, 'validationContext') ?? 'body');
      return new Problem('bad-request', {
        detail: `The ${part} does not fit: ${validation
          .map((item) => `${item.instancePath || '/'} ${item.message}`)
          .slice(0, 3)
          .join('; ')}`,
        fix: 'Compare with docs/openapi.json.',
        errors: validation.slice(0, 20).map((item): ProblemError => ({
          pointer:
            item.keyword === 'additionalProperties'
              ? `${item.instancePath}/${item.params.additionalProperty}`
              : item.instancePath,
          code: item.keyword,
          message: item.keyword === 'additionalProperties' ? 'is not a known field' : String(item.message),
        })),
      });
    }
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' || error.code === 'FST_REQ_FILE_TOO_LARGE')
      return new Problem('too-large', { detail: 'The body is larger than this route takes.', cause: error });
    if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
      return new Problem('unsupported-media', { detail: error.message, fix: 'Send the media type the route names.' });
    if (typeof error.statusCode === 'number' && error.statusCode < 500)
      return new Problem('bad-request', { detail: error.message });
  }
  return new Problem('internal', {
    detail: 'Something broke on our side. It is in the log of the hub under this request id.',
    cause: error,
  });
}

/** The HTTP server with authentication, strict parsing and problem replies. Routes are added with `serve`. */
export async function createServer(
  deps: ServeDeps,
  options: { trustProxy: boolean | string[] },
): Promise<FastifyInstance> {
  const strict = new Ajv({
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: false,
    allErrors: false,
    strict: false,
  });
  const coercing = new Ajv({
    coerceTypes: true,
    removeAdditional: false,
    useDefaults: true,
    allErrors: false,
    strict: false,
  });
  const app = Fastify({
    loggerInstance: deps.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    trustProxy: options.trustProxy,
    requestTimeout: 0,
    genReqId: () => crypto.randomUUID(),
    routerOptions: { maxParamLength: 2000, ignoreTrailingSlash: false },
  });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? strict : coercing).compile(schema as object),
  );
  // Replies go out as their schema says; what it does not name is cut, so that a new column never leaks.
  app.setSerializerCompiler(
    ({ schema }) =>
      (data) =>
        JSON.stringify(Value.Clean(schema as TSchema, data)),
  );
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.code === 'internal')
      request.log.error({ requestId: request.id, err: problem.info.cause ?? error }, 'request failed');
    return problemReply(reply, problem, request.id);
  });
  app.setNotFoundHandler((request, reply) =>
    problemReply(reply, new Problem('not-found', { detail: `Nothing answers ${request.method} here.` }), request.id),
  );
  app.addHook('onSend', async (_request, reply) => {
    void reply.header('x-content-type-options', 'nosniff');
  });
  // What the database cannot hold is replaced before validation; the parser itself refuses __proto__ and broken JSON as before.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) =>
    parseJson(request, storableJson(String(text)), done),
  );
  await app.register(multipartPlugin);
  for (const mediaType of ['application/gzip', 'application/x-gzip', 'application/zip', 'application/octet-stream']) {
    app.addContentTypeParser(mediaType, (_request, payload, done) => done(null, payload));
  }
  return app;
}

async function* limited(source: AsyncIterable<Uint8Array>, maxBytes: number): AsyncIterable<Uint8Array> {
  let seen = 0;
  for await (const chunk of source) {
    seen += chunk.byteLength;
    if (seen > maxBytes) throw tooLarge(maxBytes);
    yield chunk;
  }
}

function multipartBody(request: FastifyRequest, limits: { maxBytes: number; maxFiles: number }): MultipartBody {
  if (!request.isMultipart())
    throw new Problem('unsupported-media', {
      detail: 'This route takes multipart/form-data.',
      fix: 'Send a form with a file field.',
    });
  const parts = request.parts({
    preservePath: true,
    limits: { fileSize: limits.maxBytes, files: limits.maxFiles, fields: 50, fieldSize: 64 * 1024 },
  });
  return {
    parts: (async function* (): AsyncIterable<UploadedFile | { fieldName: string; value: string }> {
      for await (const part of parts) {
        if (part.type === 'field') yield { fieldName: part.fieldname, value: String(part.value) };
        else {
          const file = part.file;
          yield {
            fieldName: part.fieldname,
            fileName: part.filename,
            stream: (async function* () {
              yield* limited(file, limits.maxBytes);
              if (file.truncated) throw tooLarge(limits.maxBytes);
            })(),
          };
          if (!file.readableEnded) file.resume();
        }
      }
    })(),
  };
}

async function sendBytes(reply: FastifyReply, bytes: ByteReply): Promise<FastifyReply> {
  void reply.header('content-type', bytes.mediaType);
  if (bytes.bytes !== undefined) void reply.header('content-length', bytes.bytes);
  if (bytes.fileName !== undefined)
    void reply.header(
      'content-disposition',
      `${bytes.disposition ?? 'attachment'}; filename="${bytes.fileName.replace(/[^\w.@+-]/g, '_')}"`,
    );
  if (bytes.etag !== undefined)
    void reply.header('etag', `"${bytes.etag}"`).header('cache-control', 'private, max-age=31536000, immutable');
  else void reply.header('cache-control', 'no-store');
  // Anything a user uploaded is shown as data only: no scripts, no frames, whatever the browser makes of it.
  void reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox");
  return reply.send(Readable.from(bytes.stream as AsyncIterable<Uint8Array>, { objectMode: false }));
}

/** Server-sent events. A reader who does not read is cut off, never buffered without bound. */
async function sendLive(
  request: FastifyRequest,
  reply: FastifyReply,
  messages: AsyncIterable<LiveMessage<unknown>>,
  abort: AbortController,
  recheck: () => Promise<void>,
): Promise<void> {
  reply.hijack();
  const raw = reply.raw;
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    connection: 'keep-alive',
  });
  raw.write(':\n\n');
  const ping = setInterval(() => raw.write(':\n\n'), PING_SECONDS * 1000);
  const check = setInterval(() => void recheck().catch(() => abort.abort()), RECHECK_SECONDS * 1000);
  abort.signal.addEventListener('abort', () => raw.destroy(), { once: true });
  try {
    for await (const message of messages) {
      if (raw.destroyed) break;
      raw.write(`${message.id === '' ? '' : `id: ${message.id}\n`}data: ${JSON.stringify(message.data)}\n\n`);
      if (raw.writableLength > MAX_LIVE_BACKLOG) break;
    }
  } catch (error) {
    if (!abort.signal.aborted) request.log.error({ requestId: request.id, err: error }, 'live stream failed');
  } finally {
    clearInterval(ping);
    clearInterval(check);
    raw.end();
  }
}

const served = new WeakMap<FastifyInstance, Set<string>>();

/** Adds one operation of the table. */
export function serve<Input, Output>(
  app: FastifyInstance,
  deps: ServeDeps,
  route: Route<Input, Output>,
  handler: Handler<Input, Output>,
): void {
  const seen = served.get(app) ?? new Set<string>();
  if (seen.has(route.id)) throw new Error(`The operation ${route.id} is served twice.`);
  served.set(app, seen.add(route.id));
  const body = route.body;
  app.route({
    method: route.method,
    url: route.path,
    ...(isStreamPart(body)
      ? { bodyLimit: body.maxBytes }
      : isMultipartPart(body)
        ? { bodyLimit: body.maxBytes + 1024 * 1024 }
        : {}),
    schema: {
      ...(route.params === undefined ? {} : { params: route.params }),
      ...(route.query === undefined ? {} : { querystring: { ...route.query, additionalProperties: false } }),
      ...(body === undefined || isStreamPart(body) || isMultipartPart(body) ? {} : { body: closed(body) }),
      ...(route.reply === undefined || isStreamPart(route.reply) || isEventsPart(route.reply)
        ? {}
        : { response: { '2xx': route.reply } }),
    },
    onRequest: async (request) => {
      const principal = await deps.authenticate(request);
      requireRouteAccess(route, principal);
      principals.set(request, principal);
    },
    handler: async (request, reply) => {
      const abort = new AbortController();
      reply.raw.once('close', () => abort.abort());
      const principal = principals.get(request) ?? { kind: 'anonymous' };
      const lastEventId = request.headers['last-event-id'];
      const idempotencyKey = request.headers['idempotency-key'];
      const context: CallContext = {
        principal,
        requestId: request.id,
        signal: abort.signal,
        lastEventId: typeof lastEventId === 'string' ? lastEventId : null,
        idempotencyKey: typeof idempotencyKey === 'string' ? idempotencyKey.slice(0, 200) : null,
        mediaType: (request.headers['content-type'] ?? '').split(';')[0] ?? '',
      };
      let requestBody: unknown = request.body;
      if (isStreamPart(body)) {
        if (!(request.body instanceof Readable))
          throw new Problem('unsupported-media', {
            detail: 'This route takes a raw body.',
            fix: `Send content-type ${body.mediaTypes[0]}.`,
          });
        requestBody = limited(request.body, body.maxBytes);
      } else if (isMultipartPart(body)) requestBody = multipartBody(request, body);
      const input = { params: request.params, query: request.query, body: requestBody } as Input;
      const output = await handler(input, context);
      if (output instanceof FinishedReply) {
        const tag = `"${output.etag}"`;
        void reply.header('etag', tag).header('cache-control', 'no-cache');
        if (request.headers['if-none-match'] === tag) return reply.code(304).send();
        return reply.header('content-type', 'application/json; charset=utf-8').send(output.body);
      }
      if (isEventsPart(route.reply)) {
        await sendLive(request, reply, output as AsyncIterable<LiveMessage<unknown>>, abort, async () =>
          requireRouteAccess(route, await deps.authenticate(request)),
        );
        return reply;
      }
      if (isStreamPart(route.reply)) return sendBytes(reply, output as ByteReply);
      void reply.code(route.status ?? 200);
      if (route.access !== 'public') void reply.header('cache-control', 'private, no-store');
      return route.reply === undefined ? reply.send() : reply.send(output);
    },
  });
}
const principals = new WeakMap<FastifyRequest, Principal>();

/** Bodies are strict: unknown fields are refused, at the top level of the schema. */
function closed(schema: object): object {
  return 'properties' in schema ? { ...schema, additionalProperties: false } : schema;
}

/** Operations of the table that nobody serves: the start stops on one. */
export function unserved(app: FastifyInstance): string[] {
  const seen = served.get(app) ?? new Set<string>();
  return ROUTES.map((route: AnyRoute) => route.id).filter((id) => !seen.has(id));
}

function tooLarge(maxBytes: number): Problem {
  return new Problem('too-large', {
    detail: `At most ${Math.floor(maxBytes / 2 ** 20)} MiB are accepted here.`,
    fix: 'Send less.',
  });
}
