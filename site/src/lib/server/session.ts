import type { Cookies, RequestEvent } from '@sveltejs/kit';
import { HUB_URL } from '$app/env/private';
import { loadTexts } from '#lib/i18n/index.ts';
import { problemFromText, type ShownProblem } from '#lib/problem.ts';

/** Sets what the hub set: the browser sees one address, so its cookies must come from there. */
export function forwardCookies(response: Response, cookies: Cookies): void {
  for (const line of response.headers.getSetCookie()) {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    if (at < 1) continue;
    const read = new Map(
      attributes.map((part) => [part.split('=')[0]?.toLowerCase() ?? '', part.split('=').slice(1).join('=')]),
    );
    const maxAge = Number(read.get('max-age'));
    const sameSite = read.get('samesite')?.toLowerCase();
    cookies.set(pair.slice(0, at), pair.slice(at + 1), {
      path: read.get('path') ?? '/',
      httpOnly: read.has('httponly'),
      secure: read.has('secure'),
      sameSite: sameSite === 'strict' || sameSite === 'none' ? sameSite : 'lax',
      ...(read.has('max-age') && Number.isFinite(maxAge) ? { maxAge } : {}),
      // The hub has encoded it already; a second time would break its signature.
      encode: (value) => value,
    });
  }
}

/** One call of the auth library behind the hub, with the visitor's cookies there and back. */
export async function callAuth(
  event: RequestEvent,
  path: string,
  body: Record<string, unknown>,
): Promise<{ ok: true } | { ok: false; problem: ShownProblem; code: string }> {
  const t = await loadTexts(event.locals.locale);
  let response: Response;
  try {
    response = await event.fetch(new URL(`/api/auth/${path}`, HUB_URL), {
      method: 'POST',
      headers: forwardedHeaders(event, { 'content-type': 'application/json' }),
      body: JSON.stringify(body),
    });
  } catch {
    return {
      ok: false,
      code: 'unavailable',
      problem: {
        code: 'unavailable',
        status: 503,
        title: t.problems.unreachable,
        fix: t.problems.unreachableFix,
        errors: [],
      },
    };
  }
  if (response.ok) {
    forwardCookies(response, event.cookies);
    return { ok: true };
  }
  const text = await response.text();
  return {
    ok: false,
    code: codeOf(text),
    problem: problemFromText(text, response.status, messageOf(text) ?? t.account.failed),
  };
}

function codeOf(text: string): string {
  return /"code"\s*:\s*"([A-Z_a-z-]+)"/.exec(text)?.[1] ?? '';
}
function messageOf(text: string): string | undefined {
  return /"message"\s*:\s*"([^"]+)"/.exec(text)?.[1];
}

/** Header fields that make the hub see the visitor, not the site's server. */
export function forwardedHeaders(event: RequestEvent, own: Record<string, string> = {}): Record<string, string> {
  const headers: Record<string, string> = {
    ...own,
    origin: event.url.origin,
    'x-forwarded-proto': event.url.protocol.replace(':', ''),
    'x-forwarded-host': event.url.host,
  };
  const cookie = event.request.headers.get('cookie');
  if (cookie !== null) headers['cookie'] = cookie;
  const address = event.request.headers.get('x-forwarded-for');
  if (address !== null) headers['x-forwarded-for'] = address;
  const agent = event.request.headers.get('user-agent');
  if (agent !== null) headers['user-agent'] = agent;
  return headers;
}
