import { redirect, type RequestHandler } from '@sveltejs/kit';
import { localPath } from '#lib/server/local-path.ts';

/** The toggle of the top bar for browsers without scripts. */
export const POST: RequestHandler = async ({ request, cookies, url }) => {
  const form = await request.formData();
  const theme = String(form.get('theme'));
  // Not httpOnly: with scripts the toggle writes it. Homes and labs serve plain http by address; a Secure cookie would be dropped there.
  if (['system', 'light', 'dark'].includes(theme))
    cookies.set('theme', theme, {
      path: '/',
      maxAge: 31_536_000,
      httpOnly: false,
      secure: url.protocol === 'https:',
    });
  redirect(303, localPath(String(form.get('back'))));
};
