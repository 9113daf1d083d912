import { Problem, type ProblemCode } from '@trainyard/plugin-sdk';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Database } from '../platform/database.ts';
import { createAttemptLimit, type AttemptLimit } from './attempt-limit.ts';
import { ADDRESS_HEADER, type Auth } from './auth.ts';
import type { Authenticator } from './authenticate.ts';
import { isSignUpOpen } from './installation-setting.ts';
import { requireSameSite } from './same-site.ts';

export interface AuthRouteDeps {
  readonly db: Database;
  readonly auth: Auth;
  readonly authenticator: Authenticator;
  readonly publicUrl: string;
  /** Sign-in and sign-up attempts of one address per minute; default 60. */
  readonly attemptsPerMinute?: number;
}

interface OpenEndpoint {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Fields handed on; everything else a caller sends is dropped. */
  readonly fields: readonly string[];
  readonly guessable?: boolean;
}

/** All that is reachable of the library. Organisations, members, roles and keys go through our own routes. */
const OPEN: readonly OpenEndpoint[] = [
  { method: 'POST', path: '/sign-up/email', fields: ['name', 'email', 'password'], guessable: true },
  { method: 'POST', path: '/sign-in/email', fields: ['email', 'password'], guessable: true },
  { method: 'POST', path: '/sign-out', fields: [] },
  { method: 'GET', path: '/get-session', fields: [] },
  { method: 'POST', path: '/change-password', fields: ['currentPassword', 'newPassword'], guessable: true },
  { method: 'POST', path: '/revoke-sessions', fields: [] },
  { method: 'POST', path: '/revoke-other-sessions', fields: [] },
];
const FAILURES = 10;
const FAILURE_WINDOW_MS = 5 * 60 * 1000;

/**
 * `/api/auth/*`: the open endpoints of the library, everything else is 404. Errors are thrown as `Problem`; replies never
 * hold the session's token, which belongs into the HttpOnly cookie alone.
 */
export function registerAuthRoutes(app: FastifyInstance, deps: AuthRouteDeps): void {
  const byAddress = createAttemptLimit(deps.attemptsPerMinute ?? 60, 60_000);
  const failures = createAttemptLimit(FAILURES, FAILURE_WINDOW_MS);
  for (const endpoint of OPEN) {
    app.route({
      method: endpoint.method,
      url: `/api/auth${endpoint.path}`,
      bodyLimit: 16 * 1024,
      handler: (request, reply) => pass(deps, { byAddress, failures }, endpoint, request, reply),
    });
  }
}

async function pass(
  deps: AuthRouteDeps,
  limits: { byAddress: AttemptLimit; failures: AttemptLimit },
  endpoint: OpenEndpoint,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const now = Date.now();
  requireSameSite(request, deps.publicUrl);
  const body = pickFields(request.body, endpoint.fields);
  const guessed = `${request.ip} ${body['email'] ?? request.headers.cookie ?? ''}`.toLowerCase();
  if (endpoint.guessable === true) {
    limits.byAddress.count(request.ip, now);
    limits.failures.count(guessed, now);
  }
  if (endpoint.path === '/sign-up/email') await requireSignUp(deps, body);
  // Ends an idle session before the library sees it.
  await deps.authenticator.authenticate({ cookie: request.headers.cookie }, now);

  const response = await deps.auth.handler(toFetchRequest(deps, endpoint, request, body));
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw toAuthProblem(response.status, answer);
  if (endpoint.guessable === true) limits.failures.clear(guessed);
  if (endpoint.method === 'POST') deps.authenticator.forget();
  for (const cookie of response.headers.getSetCookie()) void reply.header('set-cookie', cookie);
  return reply
    .code(200)
    .header('cache-control', 'private, no-store')
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(withoutTokens(answer)));
}

function toFetchRequest(
  deps: AuthRouteDeps,
  endpoint: OpenEndpoint,
  request: FastifyRequest,
  body: Record<string, string>,
): Request {
  const origin = new URL(deps.publicUrl).origin;
  const headers = new Headers({ origin, [ADDRESS_HEADER]: request.ip });
  if (request.headers.cookie !== undefined) headers.set('cookie', request.headers.cookie);
  if (request.headers['user-agent'] !== undefined) headers.set('user-agent', request.headers['user-agent']);
  const url = `${origin}/api/auth${endpoint.path}`;
  if (endpoint.method === 'GET') return new Request(url, { headers });
  headers.set('content-type', 'application/json');
  // A stolen session must not outlive the password.
  const sent = endpoint.path === '/change-password' ? { ...body, revokeOtherSessions: true } : body;
  return new Request(url, { method: 'POST', headers, body: JSON.stringify(sent) });
}

async function requireSignUp(deps: AuthRouteDeps, body: Record<string, string>): Promise<void> {
  if (!(await isSignUpOpen(deps.db))) {
    throw new Problem('forbidden', {
      detail: 'This installation is closed to newcomers.',
      fix: 'Ask an administrator.',
    });
  }
  const name = (body['name'] ?? '').trim();
  if (name === '' || name.length > 80) {
    throw new Problem('bad-request', { detail: 'A name of 1 to 80 characters is needed.', fix: 'Fill in the name.' });
  }
}

function pickFields(body: unknown, fields: readonly string[]): Record<string, string> {
  if (fields.length === 0) return {};
  if (typeof body !== 'object' || body === null) {
    throw new Problem('bad-request', { detail: 'A JSON body is needed.', fix: `Send ${fields.join(', ')}.` });
  }
  return Object.fromEntries(
    fields.map((field): [string, string] => {
      const value: unknown = Reflect.get(body, field);
      if (typeof value === 'string' && value.length <= 300) return [field, value];
      throw new Problem('bad-request', { detail: `The field ${field} is missing.`, fix: `Send ${fields.join(', ')}.` });
    }),
  );
}

const CODES: Readonly<Record<number, ProblemCode>> = {
  400: 'bad-request',
  401: 'not-authenticated',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  422: 'conflict',
  429: 'rate-limited',
};

function toAuthProblem(status: number, answer: unknown): Problem {
  const code = CODES[status];
  if (code === undefined) return new Problem('internal', { cause: answer });
  const message =
    typeof answer === 'object' && answer !== null && 'message' in answer ? String(answer.message) : undefined;
  if (code === 'not-authenticated') {
    return new Problem(code, {
      detail: 'The e-mail address or the password is wrong, or you are signed out.',
      fix: 'Try again.',
    });
  }
  if (code === 'conflict') {
    return new Problem(code, { detail: 'This e-mail address has an account already.', fix: 'Sign in instead.' });
  }
  return new Problem(code, message === undefined ? {} : { detail: message });
}

function withoutTokens(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null) return answer;
  return Object.fromEntries(
    Object.entries(answer)
      .filter(([key]) => key !== 'token')
      .map(([key, value]) => [key, withoutTokens(value)]),
  );
}
