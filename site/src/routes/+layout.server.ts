import { getMe, listRuns } from '@trainyard/plugin-sdk/api';
import { answer } from '#lib/server/answers.ts';
import type { LayoutServerLoad } from './$types';

export const load: LayoutServerLoad = async ({ locals, depends }) => {
  depends('frame:state');
  const [me, running] = await Promise.all([
    answer(locals.hub.call(getMe, {})),
    answer(locals.hub.call(listRuns, { query: { state: 'running', limit: 100 } })),
  ]);
  return {
    theme: locals.theme,
    locale: locals.locale,
    hubReachable: me.ok,
    ...(me.ok ? { me: me.value } : {}),
    running: running.ok ? running.value.items.length : 0,
  };
};
