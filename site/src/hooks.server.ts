import { HubClient } from '@trainyard/plugin-sdk/client';
import type { Handle, HandleServerError } from '@sveltejs/kit/hooks';
import { HUB_URL } from '$app/env/private';
import { chooseLocale } from '#lib/i18n/locales.ts';
import { forwardedHeaders } from '#lib/server/session.ts';

const THEMES = new Set(['light', 'dark']);

export const handle: Handle = async ({ event, resolve }) => {
  const theme = event.cookies.get('theme') ?? '';
  event.locals.theme = THEMES.has(theme) ? theme : 'system';
  event.locals.locale = chooseLocale(event.cookies.get('locale'), event.request.headers.get('accept-language'));
  event.locals.hub = new HubClient({ url: HUB_URL, headers: forwardedHeaders(event), fetch: event.fetch });
  const response = await resolve(event, {
    transformPageChunk: ({ html }) =>
      html.replace('%theme%', event.locals.theme).replace('%lang%', event.locals.locale),
  });
  // The one page that runs a model compiles WebAssembly; no other page may.
  const policy = response.headers.get('content-security-policy');
  if (policy !== null && event.route.id === '/runs/[run]/try')
    response.headers.set(
      'content-security-policy',
      policy.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'"),
    );
  response.headers.append('vary', 'accept-language, cookie');
  response.headers.set('referrer-policy', 'same-origin');
  response.headers.set('x-content-type-options', 'nosniff');
  return response;
};

/** Expected errors and missing pages keep their words; anything else gets an id that finds it in the log. */
export const handleError: HandleServerError = ({ kind, error, event }) => {
  if (kind !== 'unknown') return error;
  const id = crypto.randomUUID();
  console.error(`${id} ${event.request.method} ${event.url.pathname}`, error);
  return {
    status: 500,
    message: 'internal',
    problem: { code: 'internal', status: 500, title: 'internal', errors: [], requestId: id },
  };
};
