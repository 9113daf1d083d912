import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { serve, type ServeDeps } from '../platform/serve.ts';
import { beginAttempt } from './begin-attempt.ts';
import { claimJobs, type ClaimDeps } from './claim-jobs.ts';
import { finishAttempt } from './finish-attempt.ts';
import { listAgents } from './list-agents.ts';
import { renewLeases } from './renew-leases.ts';
import { reportPhase } from './report-phase.ts';
import { streamSignals } from './stream-signals.ts';

export function jobRoutes(app: FastifyInstance, deps: ServeDeps & ClaimDeps): void {
  serve(app, deps, api.claimJobs, ({ body }, { signal }) => claimJobs(deps, body, signal));
  serve(app, deps, api.renewLeases, ({ body }) => renewLeases(deps, body));
  serve(app, deps, api.streamSignals, async ({ params }, { signal }) => streamSignals(deps, params.agent, signal));
  serve(app, deps, api.beginAttempt, async ({ params, body }) => void (await beginAttempt(deps, params.attempt, body)));
  serve(app, deps, api.reportPhase, async ({ params, body }) => void (await reportPhase(deps, params.attempt, body)));
  serve(
    app,
    deps,
    api.finishAttempt,
    async ({ params, body }) => void (await finishAttempt(deps, params.attempt, body)),
  );
  serve(app, deps, api.listAgents, () => listAgents({ db: deps.db.pool }));
}
