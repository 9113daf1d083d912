import type { IncomingHttpHeaders } from 'node:http';
import { Problem } from '@trainyard/plugin-sdk';
import type { Database } from '../platform/database.ts';
import type { EventBus } from '../platform/event-bus.ts';
import type { Principal } from '../platform/principal.ts';
import { query, queryOne } from '../platform/sql.ts';
import { inTransaction } from '../platform/transaction.ts';
import type { Auth } from './auth.ts';
import { giveOrganization } from './give-organization.ts';
import { requireSameSite } from './same-site.ts';
import { hashToken, isTokenText } from './token-text.ts';

export interface Authenticator {
  /**
   * Who calls. A bearer token wins over the cookie; a bad or expired one throws, a bad cookie is an anonymous visitor.
   * What it answers may be up to five seconds old, except after a revocation this hub has heard of.
   */
  authenticate(headers: IncomingHttpHeaders, now: number): Promise<Principal>;
  /** The same, and refuses changes with a cookie that another site made the browser send (`csrf`). */
  authenticateRequest(request: { method: string; headers: IncomingHttpHeaders }, now: number): Promise<Principal>;
  /** After a revocation, sign-out or change of role. */
  forget(hash?: string): void;
  close(): void;
}

export interface AuthenticatorDeps {
  readonly db: Database;
  readonly auth: Auth;
  readonly publicUrl: string;
  /** Carries revocations of other hubs. */
  readonly bus?: EventBus;
}

/** Topic of the bus; the payload is the hash of a revoked token. */
export const REVOKED_TOPIC = 'token-revoked';
const CACHE_MS = 5_000;
const CACHE_SIZE = 10_000;
const IDLE_MS = 7 * 24 * 3600 * 1000;
const TOUCH_MS = 3600 * 1000;

const BAD_TOKEN = {
  detail: 'The token is not valid.',
  fix: 'Make a new one under /keys, and send it as `Authorization: Bearer <token>`.',
};

export function createAuthenticator(deps: AuthenticatorDeps): Authenticator {
  const known = new Map<string, { principal: Principal; until: number }>();
  /** Counts revocations, so that an answer read before one is not kept after it. */
  let generation = 0;
  function forget(hash?: string): void {
    generation += 1;
    if (hash === undefined) known.clear();
    else known.delete(hash);
  }
  const stopHearing = deps.bus?.on(REVOKED_TOPIC, forget);

  async function cached(hash: string, now: number, find: () => Promise<Found>): Promise<Principal> {
    const hit = known.get(hash);
    if (hit !== undefined && hit.until > now && hit.until <= now + CACHE_MS) return hit.principal;
    const before = generation;
    const found = await find();
    if (found.keep && before === generation) {
      if (known.size >= CACHE_SIZE) known.clear();
      known.set(hash, { principal: found.principal, until: Math.min(now + CACHE_MS, found.endsAt) });
    }
    return found.principal;
  }

  async function authenticate(headers: IncomingHttpHeaders, now: number): Promise<Principal> {
    const { authorization, cookie } = headers;
    if (authorization !== undefined) {
      const token = /^Bearer ([\w-]{1,200})$/i.exec(authorization.trim())?.[1] ?? '';
      const hash = hashToken(token);
      if (isTokenText(token, 'ty_u_')) return cached(hash, now, () => findUserToken(deps, hash, now));
      if (isTokenText(token, 'ty_r_')) return cached(hash, now, () => findAgentKey(deps, hash, now));
      throw new Problem('not-authenticated', BAD_TOKEN);
    }
    if (cookie === undefined || !cookie.includes('trainyard.session_token=')) return { kind: 'anonymous' };
    return cached(hashToken(cookie), now, () => findSession(deps, cookie, now));
  }

  return {
    authenticate,
    async authenticateRequest(request, now) {
      if (request.headers.authorization === undefined && request.headers.cookie !== undefined) {
        requireSameSite(request, deps.publicUrl);
      }
      return authenticate(request.headers, now);
    },
    forget,
    close() {
      stopHearing?.();
    },
  };
}

interface Found {
  readonly principal: Principal;
  readonly keep: boolean;
  readonly endsAt: number;
}
const NOBODY: Found = { principal: { kind: 'anonymous' }, keep: false, endsAt: 0 };

async function findUserToken(deps: AuthenticatorDeps, hash: string, now: number): Promise<Found> {
  const row = await queryOne<{ id: string; user_id: string; scopes: string[]; expires_at: Date; stale: boolean }>(
    deps.db.pool,
    `select id, user_id, scopes, expires_at, last_used_at is null or last_used_at < now() - interval '1 minute' as stale
     from access_token where hash = $1`,
    [hash],
  );
  if (row === null) throw new Problem('not-authenticated', BAD_TOKEN);
  if (row.expires_at.getTime() <= now) throw expired(row.expires_at);
  const user = await readUser(deps, row.user_id, now);
  if (user === null) throw new Problem('not-authenticated', BAD_TOKEN);
  if (row.stale) await query(deps.db.pool, 'update access_token set last_used_at = now() where id = $1', [row.id]);
  const principal: Principal = { kind: 'user', ...user, via: 'token', scopes: row.scopes };
  return { principal, keep: true, endsAt: row.expires_at.getTime() };
}

async function findAgentKey(deps: AuthenticatorDeps, hash: string, now: number): Promise<Found> {
  const row = await queryOne<{ agent_id: string; expires_at: Date | null }>(
    deps.db.pool,
    'select agent_id, expires_at from agent_key where hash = $1',
    [hash],
  );
  if (row === null) throw new Problem('not-authenticated', { ...BAD_TOKEN, fix: 'Issue a new agent key.' });
  if (row.expires_at !== null && row.expires_at.getTime() <= now) throw expired(row.expires_at);
  const endsAt = row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY;
  return { principal: { kind: 'agent', agentId: row.agent_id }, keep: true, endsAt };
}

function expired(at: Date): Problem {
  return new Problem('token-expired', {
    detail: `The token expired on ${at.toISOString()}.`,
    fix: 'Make a new one under /keys.',
  });
}

async function findSession(deps: AuthenticatorDeps, cookie: string, now: number): Promise<Found> {
  const found = await deps.auth.api.getSession({ headers: new Headers({ cookie }) });
  if (found === null) return NOBODY;
  const { session } = found;
  const quiet = now - session.updatedAt.getTime();
  if (quiet > IDLE_MS || session.expiresAt.getTime() <= now) {
    await query(deps.db.pool, 'delete from "session" where "id" = $1', [session.id]);
    return NOBODY;
  }
  if (quiet > TOUCH_MS) {
    const at = new Date(now);
    await query(deps.db.pool, 'update "session" set "updatedAt" = $2 where "id" = $1', [session.id, at]);
  }
  const user = await readUser(deps, session.userId, now);
  if (user === null) return NOBODY;
  const principal: Principal = { kind: 'user', ...user, via: 'session', scopes: null };
  return { principal, keep: true, endsAt: session.expiresAt.getTime() };
}

type UserFacts = Omit<Extract<Principal, { kind: 'user' }>, 'kind' | 'via' | 'scopes'>;

/** Null for a blocked account. */
async function readUser(deps: AuthenticatorDeps, userId: string, now: number): Promise<UserFacts | null> {
  const row = await queryOne<{
    name: string;
    email: string;
    role: string | null;
    banned: boolean | null;
    until: Date | null;
    organization: string | null;
    slug: string | null;
  }>(
    deps.db.pool,
    `select u."name", u."email", u."role", u."banned", u."banExpires" as until, o."id" as organization, o."slug"
     from "user" u left join "member" m on m."userId" = u."id" and m."role" = 'manager'
     left join "organization" o on o."id" = m."organizationId"
     where u."id" = $1 order by m."createdAt", m."id" limit 1`,
    [userId],
  );
  if (row === null) return null;
  if (row.banned === true && (row.until === null || row.until.getTime() > now)) return null;
  const { name, email } = row;
  const own =
    row.organization === null || row.slug === null
      ? await inTransaction(deps.db, (tx) => giveOrganization(tx, { id: userId, name, email }))
      : { id: row.organization, slug: row.slug };
  return { userId, name, email, organizationId: own.id, organizationSlug: own.slug, isAdmin: row.role === 'admin' };
}
