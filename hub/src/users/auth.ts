import { betterAuth } from 'better-auth';
import { admin, organization } from 'better-auth/plugins';
import { newId } from '@trainyard/plugin-sdk';
import type { Database } from '../platform/database.ts';
import { inTransaction } from '../platform/transaction.ts';
import { requireStrongSecret } from './auth-secret.ts';
import { giveOrganization } from './give-organization.ts';
import { trustedOrigins } from './same-site.ts';

export interface AuthOptions {
  readonly db: Database;
  /** Address people open, such as http://localhost:8080. */
  readonly publicUrl: string;
  readonly secret: string;
}

export const SESSION_SECONDS = 30 * 24 * 3600;
export const MIN_PASSWORD = 8;
/** Set by the bridge from the connection, never taken from the caller. */
export const ADDRESS_HEADER = 'x-trainyard-address';

/**
 * Accounts and sessions. The library keeps passwords, sessions and cookies; tokens, roles, limits and the set-up are ours,
 * so of its endpoints only those of `auth-routes.ts` are reachable.
 */
export function openAuth(options: AuthOptions) {
  const secure = new URL(options.publicUrl).protocol === 'https:';
  return betterAuth({
    appName: 'Trainyard',
    baseURL: new URL(options.publicUrl).origin,
    basePath: '/api/auth',
    secret: requireStrongSecret(options.secret, 'the configuration'),
    database: options.db.pool,
    telemetry: { enabled: false },
    logger: { level: 'error' },
    trustedOrigins: trustedOrigins(options.publicUrl),
    emailAndPassword: { enabled: true, minPasswordLength: MIN_PASSWORD, maxPasswordLength: 200, autoSignIn: true },
    // Absolute life here; the idle limit is in authenticate.ts.
    session: { expiresIn: SESSION_SECONDS, disableSessionRefresh: true, cookieCache: { enabled: false } },
    rateLimit: { enabled: false },
    plugins: [organization({ allowUserToCreateOrganization: false }), admin()],
    advanced: {
      // With this prefix browsers insist on Secure, path / and no domain.
      cookiePrefix: secure ? '__Host-trainyard' : 'trainyard',
      useSecureCookies: false,
      defaultCookieAttributes: { secure, httpOnly: true, sameSite: 'lax', path: '/' },
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER] },
      database: { generateId: () => newId() },
    },
    databaseHooks: {
      user: {
        create: {
          // Not in the transaction of the library; authenticate() makes it up when this did not happen.
          after: async (user) => void (await inTransaction(options.db, (tx) => giveOrganization(tx, user))),
        },
      },
    },
  });
}

export type Auth = ReturnType<typeof openAuth>;
