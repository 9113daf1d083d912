import { listDatasets } from '@trainyard/plugin-sdk/api';
import { need } from '#lib/server/answers.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, url }) => {
  const query = Object.fromEntries(
    (['q', 'task', 'cursor'] as const).flatMap((name) => {
      const value = url.searchParams.get(name)?.trim();
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
  const datasets = await need(locals.hub.call(listDatasets, { query: { ...query, limit: 48 } }));
  return {
    datasets: datasets.items,
    next: datasets.next,
    q: url.searchParams.get('q') ?? '',
    task: url.searchParams.get('task') ?? '',
  };
};
