/** Who calls, after authentication. */
export type Principal =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'user';
      readonly userId: string;
      readonly email: string;
      readonly name: string;
      /** Personal organisation; its slug is the npm scope. */
      readonly organizationId: string;
      readonly organizationSlug: string;
      readonly isAdmin: boolean;
      readonly via: 'session' | 'token';
      /** Of a token; null = everything its holder may. */
      readonly scopes: readonly string[] | null;
    }
  | { readonly kind: 'agent'; readonly agentId: string }
  | { readonly kind: 'system' };

/** How the audit log names the caller: values, no foreign keys, so that entries outlive the account. */
export function actorOf(principal: Principal): { kind: string; id: string; name: string } {
  switch (principal.kind) {
    case 'user':
      return { kind: principal.via === 'token' ? 'token' : 'user', id: principal.userId, name: principal.email };
    case 'agent':
      return { kind: 'agent', id: principal.agentId, name: principal.agentId };
    case 'system':
      return { kind: 'system', id: 'system', name: 'Trainyard' };
    case 'anonymous':
      return { kind: 'anonymous', id: '-', name: 'anonymous' };
  }
}
