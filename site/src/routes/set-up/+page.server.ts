import { fail, redirect } from '@sveltejs/kit';
import { setUp } from '@trainyard/plugin-sdk/api';
import { answer } from '#lib/server/answers.ts';
import { callAuth } from '#lib/server/session.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = ({ url }) => ({ token: url.searchParams.get('token') ?? '' });

export const actions: Actions = {
  default: async (event) => {
    const form = await event.request.formData();
    const [token, name, email, password] = ['token', 'name', 'email', 'password'].map((field) =>
      String(form.get(field) ?? '').trim(),
    );
    const body = { token: token ?? '', name: name ?? '', email: email ?? '', password: password ?? '' };
    const result = await answer(event.locals.hub.call(setUp, { body }));
    if (!result.ok) return fail(result.problem.status, { name: body.name, email: body.email, problem: result.problem });
    const signedIn = await callAuth(event, 'sign-in/email', { email: body.email, password: body.password });
    redirect(303, signedIn.ok ? '/' : '/sign-in');
  },
};
