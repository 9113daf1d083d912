import { query, type Queryable } from '../platform/sql.ts';

export interface LogPage {
  readonly chunks: readonly { id: number; attempt: string; stream: string; text: string }[];
  readonly next: number;
  readonly more: boolean;
}

/** Log text of attempts in order of arrival. Bytes are stored as they came; for display invalid UTF-8 and NUL are replaced. */
export async function readLogOf(
  on: Queryable,
  attempts: readonly string[],
  after: number,
  limit: number,
): Promise<LogPage> {
  const rows = await query<{ id: number; attempt: string; stream: string; body: Buffer }>(
    on,
    'select id, attempt, stream, body from log_chunk where attempt = any($1::uuid[]) and id > $2 order by id limit $3',
    [attempts, after, limit + 1],
  );
  const page = rows.slice(0, limit);
  return {
    chunks: page.map((row) => ({
      id: row.id,
      attempt: row.attempt,
      stream: row.stream,
      text: row.body.toString('utf8').replaceAll('\0', '\uFFFD'),
    })),
    next: page.at(-1)?.id ?? after,
    more: rows.length > limit,
  };
}
