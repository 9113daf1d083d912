import type { Outcome } from '@trainyard/plugin-sdk';
import type { Handler, Work } from '../agent/agent.ts';
import type { Backend } from '../backends/backend.ts';

/**
 * A job that was given because this runner had a wall, taken up by a runner that has none: it was started again without one in between. Not a
 * failure: the job goes back and waits for a wall or an approval. Null: it may start.
 */
export async function refuseWithoutWall(work: Pick<Work, 'attempt'>, backend: Backend): Promise<Outcome | null> {
  if (!work.attempt.needsWall || (await isWalled(backend))) return null;
  return {
    state: 'stopped',
    cause: 'preempted',
    message:
      'This package may only run behind a wall until an administrator approves it, and this runner has none any more.',
  };
}

/** For work that leaves nothing running when its agent ends. */
export function walledOnly(backend: Backend, handler: Handler): Handler {
  return async (work) => (await refuseWithoutWall(work, backend)) ?? handler(work);
}

/** The rule by which the hub gives such jobs: everything that is offered. */
async function isWalled(backend: Backend): Promise<boolean> {
  const offers = await backend.offers();
  return offers.length > 0 && offers.every(({ wall }) => wall !== 'none');
}
