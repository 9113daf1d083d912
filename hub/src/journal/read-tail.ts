import { query, type Queryable } from '../platform/sql.ts';
import type { SegmentColumn } from './metric-points.ts';

export interface TailSegment {
  readonly id: number;
  readonly attempt: string;
  /** split, name, step, value. */
  readonly points: readonly [string, string, number, number | null][];
}

/** Points stored after a segment, for the live stream. Bounded: a reader that is far behind reads the series again instead. */
export async function readTail(
  on: Queryable,
  attempts: readonly string[],
  after: number,
  limit: number,
): Promise<TailSegment[]> {
  const rows = await query<{ id: number; attempt: string; body: SegmentColumn[] }>(
    on,
    'select id, attempt, body from metric_segment where attempt = any($1::uuid[]) and id > $2 order by id limit $3',
    [attempts, after, limit],
  );
  return rows.map((row) => ({
    id: row.id,
    attempt: row.attempt,
    points: row.body.flatMap((column) =>
      column.steps.map((step, i): [string, string, number, number | null] => [
        column.s,
        column.n,
        step,
        column.values[i] ?? null,
      ]),
    ),
  }));
}

/** Is the segment still there that a reader saw last? If it was sealed away, points in between could be missed. */
export async function tailIsWhole(on: Queryable, attempts: readonly string[], after: number): Promise<boolean> {
  const [row] = await query<{ sealed: boolean }>(
    on,
    `select exists (select 1 from series s where s.attempt = any($1::uuid[])) and not exists (select 1 from metric_segment g where g.attempt = any($1::uuid[]) and g.id <= $2) as sealed`,
    [attempts, after],
  );
  return row?.sealed !== true;
}

/** Points that were sealed so far. When it rises between two reads of the tail, points may have left it unseen. */
export async function countSealed(on: Queryable, attempts: readonly string[]): Promise<number> {
  const [row] = await query<{ points: number }>(
    on,
    'select coalesce(sum(c.points), 0)::bigint as points from series s join metric_chunk c on c.series = s.id where s.attempt = any($1::uuid[])',
    [attempts],
  );
  return row?.points ?? 0;
}
