import { listMyReleases } from '@trainyard/plugin-sdk/api';
import { answer } from '#lib/server/answers.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, parent }) => {
  const { me } = await parent();
  const mine =
    me?.signedIn === true ? await answer(locals.hub.call(listMyReleases, { query: { limit: 20 } })) : undefined;
  return { releases: mine?.ok === true ? mine.value.items : [] };
};
