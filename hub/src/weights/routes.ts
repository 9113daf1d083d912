import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { callerOf } from '../audit/record-audit.ts';
import { serve, type ServeDeps } from '../platform/serve.ts';
import type { TrainerDeps } from '../trainers/deps.ts';
import { audienceOf } from '../trainers/find-release.ts';
import { requireRelease } from '../trainers/read/read-release.ts';
import { askForWeights, uploadWeights } from './add-weights.ts';
import { weightsChoices } from './choose-weights.ts';
import type { WeightsDeps } from './deps.ts';
import { selectWeights, toWeightsShape } from './weights-rows.ts';

export function weightsRoutes(app: FastifyInstance, deps: ServeDeps & WeightsDeps & TrainerDeps): void {
  serve(app, deps, api.listWeights, async (_, { principal }) => ({
    items: (await selectWeights(deps.db.pool, audienceOf(principal), null)).map(toWeightsShape),
  }));
  serve(app, deps, api.listReleaseWeights, async ({ params, query }, { principal }) => {
    const release = await requireRelease(deps, principal, params.release);
    return {
      items: await weightsChoices(deps.db.pool, release.manifest, audienceOf(principal), query.model ?? null),
    };
  });
  serve(app, deps, api.uploadWeights, ({ query, body }, context) =>
    uploadWeights(deps, callerOf(context), query, body),
  );
  serve(app, deps, api.fetchWeights, ({ body }, context) => askForWeights(deps, callerOf(context), body));
}
