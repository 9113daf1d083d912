import type { Database } from '../platform/database.ts';
import { inTransaction, type Tx } from '../platform/transaction.ts';
import { CHUNK_POINTS, encodeChunk } from './metric-chunk.ts';
import type { SegmentColumn } from './metric-points.ts';

/** An attempt is sealed when this many segments wait, and at its end. */
export const SEAL_SEGMENTS = 512;

async function insertChunk(
  tx: Tx,
  series: number,
  first: number,
  steps: number[],
  values: (number | null)[],
): Promise<void> {
  const chunk = encodeChunk({ steps, values });
  await tx.query(
    'insert into metric_chunk (series, first_point, points, step0, step1, min, max, l512, l64, l8, body) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    [
      series,
      first,
      chunk.points,
      chunk.step0,
      chunk.step1,
      chunk.min,
      chunk.max,
      chunk.l512,
      chunk.l64,
      chunk.l8,
      chunk.body,
    ],
  );
}

/**
 * Turns waiting segments into immutable chunks with their levels, in one transaction that holds the mark of the attempt: readers see either form, never
 * both. Full chunks only, unless `ended`; what is left over becomes one remainder segment. Runs again without harm.
 */
export async function sealSeries(deps: { db: Database }, attempt: string, ended: boolean): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const [mark] = await tx.query('select attempt from attempt_mark where attempt = $1 for update', [attempt]);
    if (mark === undefined) return;
    const segments = await tx.query<{ id: number; first_seq: number; last_seq: number; body: SegmentColumn[] }>(
      'select id, first_seq, last_seq, body from metric_segment where attempt = $1 order by first_seq',
      [attempt],
    );
    const firstSegment = segments[0];
    const lastSegment = segments.at(-1);
    if (firstSegment === undefined || lastSegment === undefined) return;
    const joined = new Map<string, SegmentColumn>();
    for (const segment of segments) {
      for (const column of segment.body) {
        const key = `${column.s} ${column.n}`;
        const known = joined.get(key) ?? { n: column.n, s: column.s, steps: [], values: [] };
        for (let i = 0; i < column.steps.length; i++) {
          known.steps.push(column.steps[i] ?? 0);
          known.values.push(column.values[i] ?? null);
        }
        joined.set(key, known);
      }
    }
    const rest: SegmentColumn[] = [];
    for (const column of joined.values()) {
      const [series] = await tx.query<{ id: number; points: number }>(
        `with made as (insert into series (attempt, name, split) values ($1, $2, $3) on conflict (attempt, name, split) do update set name = excluded.name returning id)
         select made.id, coalesce((select max(first_point + points) from metric_chunk c where c.series = made.id), 0)::bigint as points from made`,
        [attempt, column.n, column.s],
      );
      if (series === undefined) continue;
      let done = 0;
      while (column.steps.length - done >= CHUNK_POINTS || (ended && done < column.steps.length)) {
        const end = Math.min(done + CHUNK_POINTS, column.steps.length);
        await insertChunk(
          tx,
          series.id,
          series.points + done,
          column.steps.slice(done, end),
          column.values.slice(done, end),
        );
        done = end;
      }
      if (done < column.steps.length)
        rest.push({ n: column.n, s: column.s, steps: column.steps.slice(done), values: column.values.slice(done) });
    }
    await tx.query('delete from metric_segment where attempt = $1', [attempt]);
    const points = rest.reduce((sum, column) => sum + column.steps.length, 0);
    if (points > 0) {
      // The last id is kept, so that a reader of the live stream is not sent old points again.
      await tx.query(
        'insert into metric_segment (id, attempt, first_seq, last_seq, points, body) values ($1, $2, $3, $4, $5, $6)',
        [lastSegment.id, attempt, firstSegment.first_seq, lastSegment.last_seq, points, JSON.stringify(rest)],
      );
    }
    await tx.query('update attempt_mark set segments = $2 where attempt = $1', [attempt, points > 0 ? 1 : 0]);
  });
}
