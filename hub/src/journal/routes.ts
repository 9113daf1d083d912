import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { serve, type ServeDeps } from '../platform/serve.ts';
import type { GroupCommit } from './group-commit.ts';
import { ingestEvents, ingestLog } from './ingest-events.ts';
import { registerArtifact, type ArtifactDeps } from './register-artifact.ts';

export function journalRoutes(
  app: FastifyInstance,
  deps: ServeDeps & ArtifactDeps & { readonly journal: GroupCommit },
): void {
  serve(app, deps, api.reportEvents, ({ params, body }) => ingestEvents(deps, params.attempt, body));
  serve(app, deps, api.reportLog, ({ params, query, body }) => ingestLog(deps, params.attempt, { ...query, body }));
  serve(app, deps, api.registerArtifact, ({ params, body }) => registerArtifact(deps, params.attempt, body));
}
