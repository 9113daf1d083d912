import * as api from '@trainyard/plugin-sdk/api';
import { LEASE, type LeaseTimings } from '@trainyard/plugin-sdk';
import type { SchemaWorkerPool } from '@trainyard/plugin-sdk/config/schema-worker';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { searchAudit } from './audit/search-audit.ts';
import type { BlobStore } from './blobs/blob-store.ts';
import { blobRoutes } from './blobs/routes.ts';
import { ByteCache } from './catalog/byte-cache.ts';
import { catalogRoutes } from './catalog/routes.ts';
import { datasetRoutes } from './datasets/routes.ts';
import { snapshotRoutes } from './datasets/stream-snapshot.ts';
import type { JobFollowers } from './jobs/job.ts';
import { jobRoutes } from './jobs/routes.ts';
import { createGroupCommit, type GroupCommit } from './journal/group-commit.ts';
import { journalRoutes } from './journal/routes.ts';
import type { Clock } from './platform/clock.ts';
import type { Database } from './platform/database.ts';
import type { EventBus } from './platform/event-bus.ts';
import { createServer, serve, unserved } from './platform/serve.ts';
import { siteProxy } from './platform/site-proxy.ts';
import { projectRoutes } from './projects/projects.ts';
import { followRunJob } from './runs/follow-job.ts';
import { runRoutes } from './runs/routes.ts';
import { followPrepareJob } from './trainers/bundled/bundled-trainers.ts';
import { internalNpmRoutes, npmRoutes } from './trainers/npm-protocol.ts';
import { trainerRoutes } from './trainers/routes.ts';
import { followProveJob } from './trainers/verdict/follow-prove-job.ts';
import { followValidateJob } from './trainers/verdict/follow-validate-job.ts';
import type { Auth } from './users/auth.ts';
import type { Authenticator } from './users/authenticate.ts';
import { userRoutes } from './users/routes.ts';
import { weightsRoutes } from './weights/routes.ts';

/** The one table that calls from left to right: who follows which kind of job. */
export const FOLLOWERS: JobFollowers = {
  validate: followValidateJob,
  prove: followProveJob,
  prepare: followPrepareJob,
  train: followRunJob,
  evaluate: followRunJob,
  predict: followRunJob,
  export: followRunJob,
};

export interface HubParts {
  readonly db: Database;
  readonly bus: EventBus;
  readonly blobs: BlobStore;
  readonly schemas: SchemaWorkerPool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly auth: Auth;
  readonly authenticator: Authenticator;
  readonly ticketSecret: string;
  /** Filled in once the registry listens; until then npm calls answer `unavailable`. */
  readonly registry: { url: string; secret: string };
  readonly publicUrl: string;
  readonly hubUrl: string;
  readonly scratch: string;
  /** Hosts that weights may be fetched from although they are private. */
  readonly fetchHosts: readonly string[];
  readonly timings: LeaseTimings;
  readonly trustProxy: boolean | string[];
  readonly siteUrl: string | null;
  readonly version: string;
}

export interface Hub {
  readonly app: FastifyInstance;
  readonly journal: GroupCommit;
  readonly cache: ByteCache;
}

const CACHE_BYTES = 64 * 1024 * 1024;

export function scaleTimings(scale: number): LeaseTimings {
  return {
    lease: LEASE.lease * scale,
    renew: LEASE.renew * scale,
    reap: LEASE.reap * scale,
    survive: LEASE.survive * scale,
    claimWait: LEASE.claimWait,
  };
}

/** All rooms behind one server; nothing listens yet. An operation of the table that nobody serves stops the start. */
export async function buildHub(parts: HubParts): Promise<Hub> {
  const authenticate = (request: FastifyRequest) => parts.authenticator.authenticateRequest(request, parts.clock.now());
  const app = await createServer({ log: parts.log, authenticate }, { trustProxy: parts.trustProxy });
  const cache = new ByteCache(CACHE_BYTES);
  parts.bus.on('catalog', () => cache.clear());
  const journal = createGroupCommit({
    pool: parts.db.pool,
    committed: (attempts) => {
      for (const attempt of attempts) void parts.bus.notify(`journal-${attempt}`, '').catch(() => undefined);
    },
  });
  const deps = { ...parts, authenticate, followers: FOLLOWERS, journal, cache };
  userRoutes(app, deps);
  jobRoutes(app, deps);
  journalRoutes(app, deps);
  blobRoutes(app, deps);
  datasetRoutes(app, deps);
  snapshotRoutes(app, deps);
  trainerRoutes(app, deps);
  catalogRoutes(app, deps);
  runRoutes(app, deps);
  weightsRoutes(app, deps);
  projectRoutes(app, deps);
  serve(app, deps, api.searchAudit, ({ query }) => searchAudit({ db: parts.db.pool }, query));
  serve(app, deps, api.getHealth, async () => ({ ok: true, version: parts.version }));
  serve(app, deps, api.getReadiness, async () => {
    await parts.db.pool.query('select 1');
    return { ok: true };
  });
  npmRoutes(app, deps, (request) =>
    parts.publicUrl.startsWith('https') ? parts.publicUrl : `${request.protocol}://${request.host}`,
  );
  internalNpmRoutes(app, deps);
  if (parts.siteUrl !== null)
    siteProxy(app, parts.siteUrl, (request) =>
      parts.publicUrl.startsWith('https') ? parts.publicUrl : `${request.protocol}://${request.host}`,
    );
  const missing = unserved(app);
  if (missing.length > 0) throw new Error(`Nobody serves: ${missing.join(', ')}.`);
  return { app, journal, cache };
}
