import { query, type Queryable } from '../platform/sql.ts';

/** Seconds a run like this took here: median of the last successful ones with the same release and model, scaled by epochs. Null without history. */
export async function estimateRun(
  on: Queryable,
  like: { release: string; verb: string; model: string; epochs: unknown },
): Promise<{ seconds: number; from: string } | null> {
  const rows = await query<{ seconds: number; epochs: string | null }>(
    on,
    `select extract(epoch from ended_at - started_at)::float8 as seconds, config->>'epochs' as epochs from run
     where release = $1 and verb = $2 and model = $3 and state = 'succeeded' and started_at is not null order by ended_at desc limit 20`,
    [like.release, like.verb, like.model],
  );
  if (rows.length === 0) return null;
  const wanted = typeof like.epochs === 'number' ? like.epochs : null;
  const scaled = rows
    .map((row) =>
      wanted !== null && Number(row.epochs) > 0 ? (row.seconds / Number(row.epochs)) * wanted : row.seconds,
    )
    .sort((a, b) => a - b);
  return {
    seconds: scaled[Math.floor(scaled.length / 2)] ?? 0,
    from: rows.length === 1 ? 'one earlier run here' : `${rows.length} earlier runs here`,
  };
}
