import type { WeightsRef } from '@trainyard/plugin-sdk';
import type { RunInput } from '@trainyard/plugin-sdk/api';
import type { Principal } from '../../platform/principal.ts';
import { audienceOf, type ReleaseRow } from '../../trainers/find-release.ts';
import { resolveWeights } from '../../weights/choose-weights.ts';
import type { RunDeps } from '../deps.ts';
import type { Complaints } from './complaints.ts';

/** The file of initial weights that training is given; null means random ones. */
export async function chooseWeights(
  deps: RunDeps,
  principal: Principal,
  release: ReleaseRow,
  model: string,
  input: RunInput,
  complaints: Complaints,
): Promise<WeightsRef | null> {
  if (input.verb !== 'train' || input.weights === undefined) return null;
  const chosen = await resolveWeights(deps.db.pool, release.manifest, audienceOf(principal), model, input.weights);
  if (chosen.ok) return chosen.weights;
  complaints.add('weights-missing', chosen.message, chosen.fix, { pointer: '/weights' });
  return null;
}
