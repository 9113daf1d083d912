import { listAgents } from '@trainyard/plugin-sdk/api';
import { need } from '#lib/server/answers.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, depends }) => {
  depends('operator:jobs');
  return need(locals.hub.call(listAgents, {}));
};
