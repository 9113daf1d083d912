import { fail, redirect } from '@sveltejs/kit';
import { createToken, listTokens, revokeToken, SCOPES } from '@trainyard/plugin-sdk/api';
import { answer, need } from '#lib/server/answers.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, parent }) => {
  const { me } = await parent();
  if (me?.signedIn === false) redirect(303, '/sign-in?next=/keys');
  return { tokens: (await need(locals.hub.call(listTokens, {}))).items, scopes: [...SCOPES] };
};

export const actions: Actions = {
  make: async ({ locals, request }) => {
    const form = await request.formData();
    const scopes = form.getAll('scope').map(String);
    const name = String(form.get('name') ?? '').trim();
    if (scopes.length === 0) return fail(422, { name, noScope: true });
    const result = await answer(
      locals.hub.call(createToken, { body: { name, scopes, days: Number(form.get('days')) } }),
    );
    // The text exists only in this answer; it is never stored by the site.
    return result.ok
      ? { made: { name: result.value.token.name, text: result.value.text } }
      : fail(result.problem.status, { name, problem: result.problem });
  },
  revoke: async ({ locals, request }) => {
    const token = String((await request.formData()).get('token'));
    const result = await answer(locals.hub.call(revokeToken, { params: { token } }));
    return result.ok ? { revoked: token } : fail(result.problem.status, { problem: result.problem });
  },
};
