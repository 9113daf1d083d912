import type pg from 'pg';
import type { Latest, SegmentColumn } from './metric-points.ts';

/** Statements of the flush. One call per flush; all rows of all requests travel as arrays. */

export interface MarkRow {
  attempt: string;
  fence: number;
  next_seq: number;
  stdout_acked: number;
  stderr_acked: number;
  log_kept: number;
  log_dropped: number;
  segments: number;
  points: number;
  latest: Record<string, Latest>;
  progress: unknown;
  usage: unknown;
}

/** Marks of open attempts with these fences, locked in order of id so that two flushes never wait for each other in a circle. */
export async function lockMarks(
  client: pg.PoolClient,
  attempts: readonly string[],
  fences: readonly number[],
): Promise<MarkRow[]> {
  const { rows } = await client.query<MarkRow>(
    `select m.*, a.fence from attempt_mark m join attempt a on a.id = m.attempt join unnest($1::uuid[], $2::bigint[]) as w(id, fence) on w.id = a.id and w.fence = a.fence
     where a.ended_at is null order by m.attempt for update of m`,
    [attempts, fences],
  );
  return rows;
}

export interface JournalRows {
  readonly segments: readonly {
    attempt: string;
    first: number;
    last: number;
    points: number;
    columns: readonly SegmentColumn[];
  }[];
  readonly events: readonly { attempt: string; seq: number; type: string; body: string }[];
  readonly logs: readonly { attempt: string; stream: string; offset: number; body: Buffer }[];
  readonly marks: readonly MarkRow[];
}

export async function appendRows(client: pg.PoolClient, rows: JournalRows): Promise<void> {
  if (rows.segments.length > 0) {
    await client.query(
      'insert into metric_segment (attempt, first_seq, last_seq, points, body) select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[], $5::jsonb[])',
      [
        rows.segments.map((row) => row.attempt),
        rows.segments.map((row) => row.first),
        rows.segments.map((row) => row.last),
        rows.segments.map((row) => row.points),
        rows.segments.map((row) => JSON.stringify(row.columns)),
      ],
    );
  }
  if (rows.events.length > 0) {
    await client.query(
      'insert into attempt_event (attempt, seq, type, body) select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::jsonb[]) on conflict do nothing',
      [
        rows.events.map((row) => row.attempt),
        rows.events.map((row) => row.seq),
        rows.events.map((row) => row.type),
        rows.events.map((row) => row.body),
      ],
    );
  }
  if (rows.logs.length > 0) {
    await client.query(
      'insert into log_chunk (attempt, stream, at_offset, body) select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bytea[])',
      [
        rows.logs.map((row) => row.attempt),
        rows.logs.map((row) => row.stream),
        rows.logs.map((row) => row.offset),
        rows.logs.map((row) => row.body),
      ],
    );
  }
  await client.query(
    `update attempt_mark m set next_seq = n.next_seq, stdout_acked = n.stdout_acked, stderr_acked = n.stderr_acked, log_kept = n.log_kept, log_dropped = n.log_dropped,
         segments = n.segments, points = n.points, latest = n.latest, progress = coalesce(n.progress, m.progress), usage = coalesce(n.usage, m.usage)
       from jsonb_to_recordset($1::jsonb) as n(attempt uuid, next_seq bigint, stdout_acked bigint, stderr_acked bigint, log_kept bigint, log_dropped bigint, segments int, points bigint,
         latest jsonb, progress jsonb, usage jsonb)
       where m.attempt = n.attempt`,
    [JSON.stringify(rows.marks)],
  );
}
