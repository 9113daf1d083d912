import { listBundled, searchTrainers } from '@trainyard/plugin-sdk/api';
import { answer, need } from '#lib/server/answers.ts';
import type { PageServerLoad } from './$types';

const SORTS = ['relevance', 'newest', 'name'] as const;
const FACETS = ['task', 'framework', 'export', 'level', 'license', 'device', 'owner'] as const;

export const load: PageServerLoad = async ({ locals, url }) => {
  const sort = SORTS.find((name) => name === url.searchParams.get('sort'));
  const chosen = Object.fromEntries(
    [...FACETS, 'q' as const, 'cursor' as const].flatMap((name) => {
      const value = url.searchParams.get(name)?.trim();
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
  const query = { ...chosen, limit: 24, ...(sort === undefined ? {} : { sort }) };
  const [found, bundled] = await Promise.all([
    need(locals.hub.call(searchTrainers, { query })),
    answer(locals.hub.call(listBundled, {})),
  ]);
  return {
    found,
    q: url.searchParams.get('q') ?? '',
    sort: sort ?? 'relevance',
    facets: FACETS.map((name) => ({ name, chosen: url.searchParams.get(name) ?? '', values: found.facets[name] })),
    bundled:
      bundled.ok && Object.keys(chosen).length === 0
        ? bundled.value.items.filter((item) => item.state !== 'submitted')
        : [],
  };
};
