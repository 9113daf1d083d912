import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { callerOf } from '../audit/record-audit.ts';
import { serve, type ServeDeps } from '../platform/serve.ts';
import { registerAuthRoutes, type AuthRouteDeps } from './auth-routes.ts';
import { createToken } from './create-token.ts';
import { listTokens } from './list-tokens.ts';
import { revokeToken } from './revoke-token.ts';
import { completeSetUp, needsSetUp } from './set-up.ts';
import { trustedOrigins } from './same-site.ts';

export function userRoutes(app: FastifyInstance, deps: ServeDeps & AuthRouteDeps): void {
  registerAuthRoutes(app, deps);
  const insecure = deps.publicUrl.startsWith('http:') && trustedOrigins(deps.publicUrl).length === 1;
  serve(app, deps, api.getMe, async (_input, { principal }) => ({
    signedIn: principal.kind === 'user',
    user:
      principal.kind === 'user'
        ? {
            id: principal.userId,
            name: principal.name,
            email: principal.email,
            organization: principal.organizationSlug,
            isAdmin: principal.isAdmin,
          }
        : null,
    needsSetUp: await needsSetUp(deps),
    insecure,
  }));
  serve(app, deps, api.setUp, async ({ body }) => {
    const { organization } = await completeSetUp(deps, body, Date.now());
    return { organization };
  });
  serve(app, deps, api.listTokens, async (_input, { principal }) => ({ items: await listTokens(deps, principal) }));
  serve(app, deps, api.createToken, ({ body }, context) => createToken(deps, callerOf(context), body));
  serve(app, deps, api.revokeToken, ({ params }, context) => revokeToken(deps, callerOf(context), params.token));
}
