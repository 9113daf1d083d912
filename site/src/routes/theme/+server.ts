import { redirect, type RequestHandler } from '@sveltejs/kit';
import { localPath } from '#lib/server/local-path.ts';

/** The toggle of the top bar for browsers without scripts. */
export const POST: RequestHandler = async ({ request, cookies }) => {
  const form = await request.formData();
  const theme = String(form.get('theme'));
  if (['system', 'light', 'dark'].includes(theme))
    cookies.set('theme', theme, { path: '/', maxAge: 31_536_000, httpOnly: false });
  redirect(303, localPath(String(form.get('back'))));
};
