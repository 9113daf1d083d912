import { fail, redirect } from '@sveltejs/kit';
import { localPath } from '#lib/server/local-path.ts';
import { callAuth } from '#lib/server/session.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = ({ url }) => ({ next: localPath(url.searchParams.get('next')) });

export const actions: Actions = {
  default: async (event) => {
    const form = await event.request.formData();
    const email = String(form.get('email') ?? '');
    const result = await callAuth(event, 'sign-in/email', { email, password: String(form.get('password') ?? '') });
    if (result.ok) redirect(303, localPath(String(form.get('next'))));
    // The library names a wrong password and an unknown address alike, and so do we.
    return fail(result.problem.status, {
      email,
      wrong: [400, 401].includes(result.problem.status),
      problem: result.problem,
    });
  },
};
