import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { FinishedReply, serve, type ServeDeps } from '../platform/serve.ts';
import type { TrainerDeps } from '../trainers/deps.ts';
import { audienceOf } from '../trainers/find-release.ts';
import { readTrainer } from '../trainers/read/read-release.ts';
import type { ByteCache } from './byte-cache.ts';
import { cardOf, searchCatalog } from './search-catalog.ts';

export function catalogRoutes(
  app: FastifyInstance,
  deps: ServeDeps & TrainerDeps & { readonly cache: ByteCache },
): void {
  serve(app, deps, api.searchTrainers, async ({ query }, { principal }) => {
    const audience = audienceOf(principal);
    const key = JSON.stringify([audience, Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1))]);
    const { body, etag } = await deps.cache.get(key, () => searchCatalog(deps.db.pool, query, audience));
    return new FinishedReply(body, etag);
  });
  serve(app, deps, api.getTrainer, async ({ params, query }, { principal }) => {
    const { release, releases, row } = await readTrainer(deps, principal, { ...params, ...query });
    return { card: await cardOf(deps.db.pool, row.owner, row.name, audienceOf(principal)), release, releases };
  });
}
