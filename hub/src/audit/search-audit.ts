import type { searchAudit as searchAuditRoute } from '@trainyard/plugin-sdk/api';
import { decodeCursor, pageOf } from '../platform/page.ts';
import { query, type Queryable } from '../platform/sql.ts';

type Output = NonNullable<(typeof searchAuditRoute)['types']>['output'];
interface Row {
  id: string;
  at: Date;
  actor_name: string;
  action: string;
  subject: string;
  changes: Record<string, unknown>;
  request_id: string | null;
}

export async function searchAudit(
  deps: { db: Queryable },
  input: { action?: string; subject?: string; cursor?: string; limit?: number },
): Promise<Output> {
  const limit = input.limit ?? 50;
  const after = decodeCursor(input.cursor, 1);
  const rows = await query<Row>(
    deps.db,
    `select id, at, actor_name, action, subject, changes, request_id from audit_entry
     where ($1::text is null or action = $1) and ($2::text is null or subject = $2) and ($3::bigint is null or id < $3) order by id desc limit $4`,
    [input.action ?? null, input.subject ?? null, after?.[0] ?? null, limit + 1],
  );
  const page = pageOf(rows, limit, (row) => [row.id]);
  return {
    next: page.next,
    items: page.items.map((row) => ({
      id: String(row.id),
      at: row.at.toISOString(),
      actor: row.actor_name,
      action: row.action,
      subject: row.subject,
      changes: row.changes,
      requestId: row.request_id,
    })),
  };
}
