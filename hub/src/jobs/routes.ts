import { Problem } from '@trainyard/plugin-sdk';
import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { serve, type CallContext, type ServeDeps } from '../platform/serve.ts';
import { beginAttempt } from './begin-attempt.ts';
import { claimJobs, type ClaimDeps } from './claim-jobs.ts';
import { finishAttempt } from './finish-attempt.ts';
import { listAgents } from './list-agents.ts';
import { renewLeases } from './renew-leases.ts';
import { reportPhase } from './report-phase.ts';
import { streamSignals } from './stream-signals.ts';

/** A key speaks for its own agent only: otherwise one could make another's attempts lost. */
function requireOwnName({ principal }: CallContext, agent: string): void {
  if (principal.kind === 'agent' && principal.agentId !== agent) {
    throw new Problem('forbidden', {
      detail: `This key belongs to ${principal.agentId}, not to ${agent}.`,
      fix: 'Set TRAINYARD_AGENT_NAME to the name the key was issued for.',
    });
  }
}

export function jobRoutes(app: FastifyInstance, deps: ServeDeps & ClaimDeps): void {
  serve(app, deps, api.claimJobs, async ({ body }, context) => {
    requireOwnName(context, body.agent);
    return claimJobs(deps, body, context.signal);
  });
  serve(app, deps, api.renewLeases, async ({ body }, context) => {
    requireOwnName(context, body.agent);
    return renewLeases(deps, body);
  });
  serve(app, deps, api.streamSignals, async ({ params }, context) => {
    requireOwnName(context, params.agent);
    return streamSignals(deps, params.agent, context.signal);
  });
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
