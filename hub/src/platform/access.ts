import { Problem, type ProblemInfo } from '@trainyard/plugin-sdk';
import type { AnyRoute } from '@trainyard/plugin-sdk/api';
import type { Principal } from './principal.ts';

/** Pure rules of who may call and who may see. Facts about a resource are handed in by the use-case. */

const SIGN_IN: ProblemInfo = {
  fix: 'Sign in on the site, or send `Authorization: Bearer <token>` with a token made under /keys.',
};

/** The route's own rule: kind of caller and scope of a token. */
export function requireRouteAccess(route: Pick<AnyRoute, 'access' | 'scope' | 'action'>, principal: Principal): void {
  if (principal.kind === 'system') return;
  if (route.access === 'agent') {
    if (principal.kind === 'agent') return;
    throw new Problem(principal.kind === 'anonymous' ? 'not-authenticated' : 'forbidden', {
      detail: 'Only runners and validators call this.',
    });
  }
  if (principal.kind === 'agent') {
    if (route.access === 'public' || route.access === 'visitor') return;
    throw new Problem('forbidden', { detail: 'An agent may not do this.' });
  }
  if (route.access === 'user' || route.access === 'admin') {
    if (principal.kind === 'anonymous') throw new Problem('not-authenticated', SIGN_IN);
    if (route.access === 'admin' && !principal.isAdmin) {
      throw new Problem('forbidden', {
        detail: 'Only an administrator of this installation may do this.',
        fix: 'Ask an administrator.',
      });
    }
  }
  if (principal.kind === 'user' && principal.via === 'token' && principal.scopes !== null) {
    if (route.scope === undefined)
      throw new Problem('forbidden', { detail: 'Tokens may not do this.', fix: 'Sign in on the site.' });
    if (!principal.scopes.includes(route.scope)) {
      throw new Problem('forbidden', {
        detail: `This token lacks the scope ${route.scope}.`,
        fix: 'Make a token with that scope under /keys.',
      });
    }
  }
}

export interface OwnedFacts {
  readonly organizationId: string;
  /** `public` things are seen by everybody. */
  readonly visibility: string;
}

export function isAdmin(principal: Principal): boolean {
  return principal.kind === 'system' || (principal.kind === 'user' && principal.isAdmin);
}
export function ownsIt(principal: Principal, facts: OwnedFacts): boolean {
  return principal.kind === 'user' && principal.organizationId === facts.organizationId;
}
export function canRead(principal: Principal, facts: OwnedFacts): boolean {
  return facts.visibility === 'public' || isAdmin(principal) || ownsIt(principal, facts);
}
export function canChange(principal: Principal, facts: OwnedFacts): boolean {
  return isAdmin(principal) || ownsIt(principal, facts);
}
/** A foreign id answers exactly like an absent one. */
export function notFound(what: string): Problem {
  return new Problem('not-found', { detail: `There is no such ${what}, or it is not yours to see.` });
}
export function requireRead(principal: Principal, facts: OwnedFacts | null | undefined, what: string): void {
  if (facts == null || !canRead(principal, facts)) throw notFound(what);
}
export function requireChange(principal: Principal, facts: OwnedFacts | null | undefined, what: string): void {
  requireRead(principal, facts, what);
  if (facts == null || !canChange(principal, facts)) {
    throw new Problem('forbidden', { detail: `This ${what} belongs to somebody else.`, fix: 'Ask its owner.' });
  }
}
export function requireUser(principal: Principal): Extract<Principal, { kind: 'user' }> {
  if (principal.kind !== 'user') throw new Problem('not-authenticated', SIGN_IN);
  return principal;
}
