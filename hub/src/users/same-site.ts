import type { IncomingHttpHeaders } from 'node:http';
import { Problem } from '@trainyard/plugin-sdk';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** The public address; on a laptop its other spellings too. */
export function trustedOrigins(publicUrl: string): string[] {
  const own = new URL(publicUrl);
  if (!LOOPBACK.includes(own.hostname)) return [own.origin];
  const port = own.port === '' ? '' : `:${own.port}`;
  return LOOPBACK.map((host) => `${own.protocol}//${host}${port}`);
}

/**
 * Refuses a change that another site made the browser send. Browsers always name the origin of such a request, so a
 * request without `Origin` and `Sec-Fetch-Site` is no browser and has nothing to forge.
 */
export function requireSameSite(request: { method: string; headers: IncomingHttpHeaders }, publicUrl: string): void {
  if (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS') return;
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const fine =
    origin === undefined
      ? site === undefined || site === 'same-origin' || site === 'none'
      : trustedOrigins(publicUrl).includes(origin);
  if (fine) return;
  throw new Problem('csrf', {
    detail: `The request came from ${origin ?? 'another site'}; this installation is ${new URL(publicUrl).origin}.`,
    fix: 'Open the site at that address, or set PUBLIC_URL to the address you use.',
  });
}
