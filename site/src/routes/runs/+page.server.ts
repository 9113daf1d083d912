import { listRuns } from '@trainyard/plugin-sdk/api';
import { need } from '#lib/server/answers.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, url, depends }) => {
  depends('frame:state');
  const filter = Object.fromEntries(
    (['state', 'verb', 'trainer', 'cursor'] as const).flatMap((name) => {
      const value = url.searchParams.get(name);
      return value === null || value === '' ? [] : [[name, value]];
    }),
  );
  const mine = url.searchParams.get('mine') === 'true';
  const runs = await need(
    locals.hub.call(listRuns, { query: { ...filter, limit: 50, ...(mine ? { mine: true } : {}) } }),
  );
  return {
    runs: runs.items,
    next: runs.next,
    state: url.searchParams.get('state') ?? '',
    verb: url.searchParams.get('verb') ?? '',
    trainer: url.searchParams.get('trainer') ?? '',
    mine,
  };
};
