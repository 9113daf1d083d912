import type { CallContext } from '../platform/serve.ts';
import { actorOf, type Principal } from '../platform/principal.ts';
import type { Tx } from '../platform/transaction.ts';

export interface AuditCaller {
  readonly principal: Principal;
  readonly requestId?: string;
}
export function callerOf(context: Pick<CallContext, 'principal' | 'requestId'>): AuditCaller {
  return { principal: context.principal, requestId: context.requestId };
}

/** Writes one entry in the transaction of the change itself. Called once by every use-case that changes something. */
export async function recordAudit(
  tx: Tx,
  caller: AuditCaller,
  action: string,
  subject: string,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const actor = actorOf(caller.principal);
  const organization = caller.principal.kind === 'user' ? caller.principal.organizationId : null;
  await tx.query(
    'insert into audit_entry (organization_id, actor_kind, actor_id, actor_name, action, subject, changes, request_id) values ($1, $2, $3, $4, $5, $6, $7, $8)',
    [
      organization,
      actor.kind,
      actor.id,
      actor.name,
      action,
      subject,
      JSON.stringify(changes),
      caller.requestId ?? null,
    ],
  );
}
