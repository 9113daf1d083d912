import { fail, redirect } from '@sveltejs/kit';
import { localPath } from '#lib/server/local-path.ts';
import { callAuth } from '#lib/server/session.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = ({ url }) => ({ next: localPath(url.searchParams.get('next')) });

export const actions: Actions = {
  default: async (event) => {
    const form = await event.request.formData();
    const name = String(form.get('name') ?? '').trim();
    const email = String(form.get('email') ?? '').trim();
    const result = await callAuth(event, 'sign-up/email', {
      name,
      email,
      password: String(form.get('password') ?? ''),
    });
    if (result.ok) redirect(303, localPath(String(form.get('next'))));
    return fail(result.problem.status, { name, email, taken: /EXIST/i.test(result.code), problem: result.problem });
  },
};
