import { redirect, type RequestHandler } from '@sveltejs/kit';
import { isLocale } from '#lib/i18n/locales.ts';
import { localPath } from '#lib/server/local-path.ts';

/** The language switch of the top bar: a plain form, because every text of the page changes. */
export const POST: RequestHandler = async ({ request, cookies, url }) => {
  const form = await request.formData();
  const locale = form.get('locale');
  // Homes and labs serve plain http by address; a Secure cookie would be dropped there.
  if (isLocale(locale))
    cookies.set('locale', locale, { path: '/', maxAge: 31_536_000, secure: url.protocol === 'https:' });
  redirect(303, localPath(String(form.get('back'))));
};
