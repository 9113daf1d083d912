import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Problem } from '@trainyard/plugin-sdk';
import { uploadRelease } from '@trainyard/plugin-sdk/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requireRouteAccess } from '../platform/access.ts';
import { toProblem, type ServeDeps } from '../platform/serve.ts';
import type { TrainerDeps } from './deps.ts';
import { audienceOf } from './find-release.ts';
import { receivePackage } from './intake/receive-package.ts';
import { parseNpmPublish } from './publish/npm-publish-body.ts';
import { visibleReleases, type VisibleReleases } from './publish/visible-releases.ts';

const MAX_BODY = 28 * 1024 * 1024;
/** Bodies parsed at a time: each may take five times its size while it is decoded. */
const PARALLEL_PUTS = 4;

function packageNameOf(wild: string): { name: string; rest: string } {
  const path = decodeURIComponent(wild);
  const match = /^(@[^/]+\/[^/]+)(?:\/(.*))?$/.exec(path);
  if (match?.[1] === undefined)
    throw new Problem('not-found', { detail: 'Only scoped packages live here: @owner/name.' });
  return { name: match[1], rest: match[2] ?? '' };
}

async function fromRegistry(deps: TrainerDeps, path: string): Promise<Response> {
  try {
    return await fetch(`${deps.registry.url}${path}`, {
      headers: { authorization: `Bearer ${deps.registry.secret}`, accept: 'application/json' },
    });
  } catch (error) {
    throw new Problem('unavailable', { detail: 'The package registry does not answer.', cause: error });
  }
}

/** The registry holds all published versions; some are listed inside their organisation only. */
function onlyVersions(document: unknown, visible: VisibleReleases): unknown {
  if (document === null || typeof document !== 'object') return document;
  const versions: unknown = Reflect.get(document, 'versions');
  if (versions === null || typeof versions !== 'object') return document;
  const seen = Object.fromEntries(Object.entries(versions).filter(([version]) => visible.versions.includes(version)));
  return { ...document, versions: seen, 'dist-tags': visible.latest === null ? {} : { latest: visible.latest } };
}

/** A tarball is `-/name-1.2.3.tgz`. */
function isVisibleFile(rest: string, versions: readonly string[]): boolean {
  return !rest.endsWith('.tgz') || versions.some((version) => rest.endsWith(`-${version}.tgz`));
}

/** Tarball addresses point to us, whatever name the registry has inside. */
function rewriteTarballs(document: unknown, publicUrl: string): unknown {
  if (document === null || typeof document !== 'object') return document;
  const versions: unknown = Reflect.get(document, 'versions');
  if (versions === null || typeof versions !== 'object') return document;
  for (const manifest of Object.values(versions)) {
    const dist = manifest?.dist as { tarball?: string } | undefined;
    if (dist?.tarball !== undefined)
      dist.tarball = `${publicUrl}/npm/${dist.tarball.replace(/^https?:\/\/[^/]+\/(?:npm\/)?/, '')}`;
  }
  return document;
}

/** `/npm/`: the registry of npm clients. Writing enters the one intake; reading goes to Verdaccio, which shows published versions only. */
export function npmRoutes(
  app: FastifyInstance,
  deps: ServeDeps & TrainerDeps,
  urlOf: (request: FastifyRequest) => string,
): void {
  let parsing = 0;
  const queue: (() => void)[] = [];
  async function slot<T>(work: () => Promise<T>): Promise<T> {
    if (parsing >= PARALLEL_PUTS) await new Promise<void>((resolve) => queue.push(resolve));
    parsing += 1;
    try {
      return await work();
    } finally {
      parsing -= 1;
      queue.shift()?.();
    }
  }

  void app.register(async (room) => {
    room.removeContentTypeParser('application/json');
    room.addContentTypeParser('application/json', (_request, payload, done) => done(null, payload));
    /** npm shows `error` of a reply; ours carries what, where and how to mend. */
    room.setErrorHandler((error, request, reply) => {
      const problem = toProblem(error);
      if (problem.code === 'internal')
        request.log.error({ requestId: request.id, err: problem.info.cause ?? error }, 'npm request failed');
      const lines =
        problem.info.errors?.map((item) => `${item.file ?? item.pointer ?? ''} ${item.message}`.trim()) ?? [];
      const words = [problem.message, ...lines, problem.info.fix ?? ''].filter((line) => line !== '').join(' · ');
      return reply
        .code(problem.status)
        .header('content-type', 'application/json')
        .send(JSON.stringify({ error: words, reason: words, problem: problem.toDocument(request.id) }));
    });
    room.get('/npm/-/ping', async () => ({}));
    room.get('/npm/-/whoami', async (request) => {
      const principal = await deps.authenticate(request);
      if (principal.kind !== 'user')
        throw new Problem('not-authenticated', {
          fix: 'npm config set //HOST/npm/:_authToken TOKEN, with a token made under /keys.',
        });
      return { username: principal.organizationSlug };
    });
    room.put<{ Params: { '*': string } }>('/npm/*', { bodyLimit: MAX_BODY }, async (request, reply) => {
      const principal = await deps.authenticate(request);
      requireRouteAccess(uploadRelease, principal);
      const { name, rest } = packageNameOf(request.params['*']);
      if (rest !== '')
        throw new Problem('forbidden', {
          detail: 'Only new versions are taken here.',
          fix: 'Deprecate and yank on the page of the trainer.',
        });
      return slot(async () => {
        if (!(request.body instanceof Readable))
          throw new Problem('bad-request', { detail: 'A JSON body is expected.' });
        const publish = parseNpmPublish(name, await boundedText(request.body));
        await receivePackage(deps, { principal, requestId: request.id }, Readable.from([publish.tarball]), {
          name,
          version: publish.version,
        });
        return reply.code(201).send({ ok: true, success: true });
      });
    });
    room.get<{ Params: { '*': string } }>('/npm/*', async (request, reply) => {
      const { name, rest } = packageNameOf(request.params['*']);
      const audience = audienceOf(await deps.authenticate(request));
      const visible = await visibleReleases(deps.db.pool, name, audience);
      if (visible === null || !isVisibleFile(rest, visible.versions))
        throw new Problem('not-found', { detail: `There is no published ${name}.` });
      const response = await fromRegistry(deps, rest === '' ? `/${name.replace('/', '%2f')}` : `/${name}/${rest}`);
      void reply
        .code(response.status)
        .header('content-type', response.headers.get('content-type') ?? 'application/json');
      if (rest === '')
        return reply.send(
          JSON.stringify(rewriteTarballs(onlyVersions(await response.json(), visible), urlOf(request))),
        );
      return reply.send(
        response.body === null ? '' : Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
      );
    });
    room.delete('/npm/*', async () => {
      throw new Problem('forbidden', {
        detail: 'Published versions are never removed.',
        fix: 'Yank the version on the page of the trainer.',
      });
    });
  });
}

async function boundedText(body: Readable): Promise<string> {
  let bytes = 0;
  return text(
    Readable.from(
      (async function* () {
        for await (const chunk of body as AsyncIterable<Buffer>) {
          bytes += chunk.length;
          if (bytes > MAX_BODY)
            throw new Problem('archive-too-large', {
              detail: 'A package is at most 20 MiB.',
              fix: 'Move weights and data out of the package.',
            });
          yield chunk;
        }
      })(),
    ),
  );
}

/** Only Verdaccio asks this, with the boot secret. */
export function internalNpmRoutes(app: FastifyInstance, deps: Pick<TrainerDeps, 'db' | 'registry'>): void {
  app.get<{ Querystring: { name?: string } }>('/internal/npm/visible', async (request, reply) => {
    if (request.headers.authorization !== `Bearer ${deps.registry.secret}`) throw new Problem('not-found');
    const visible = await visibleReleases(deps.db.pool, request.query.name ?? '', { organizationId: null, all: true });
    if (visible === null) throw new Problem('not-found');
    return reply.send(visible);
  });
}
