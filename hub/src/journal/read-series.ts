import { query, type Queryable } from '../platform/sql.ts';
import {
  decodeBuckets,
  decodePoints,
  levelFor,
  reduceBuckets,
  toBuckets,
  type Bucket,
  type Points,
} from './metric-chunk.ts';
import type { SegmentColumn } from './metric-points.ts';

export interface ReadSeries {
  readonly name: string;
  readonly split: string;
  readonly count: number;
  readonly points: readonly Bucket[];
}

interface ChunkRow {
  attempt: string;
  name: string;
  split: string;
  first_point: number;
  points: number;
  step0: number;
  step1: number;
  level: Buffer | null;
  min: number | null;
  max: number | null;
}

/** Where a later attempt overlaps an earlier one in steps, the later one is shown. */
function cutBefore(buckets: Bucket[], step: number): Bucket[] {
  const end = buckets.findIndex((bucket) => bucket[0] >= step);
  return end < 0 ? buckets : buckets.slice(0, end);
}

/**
 * Curves of attempts (oldest first) at about `width` buckets per series. Reads only the level of the chunks that the width needs, adds what is not sealed
 * yet. `cursor` is the last segment seen: the live stream goes on from there.
 */
export async function readSeriesOf(
  on: Queryable,
  attempts: readonly string[],
  width: number,
  names: readonly string[] | null,
): Promise<{ series: ReadSeries[]; cursor: string }> {
  const totals = await query<{ attempt: string; name: string; split: string; points: number }>(
    on,
    'select s.attempt, s.name, s.split, coalesce(sum(c.points), 0)::bigint as points from series s left join metric_chunk c on c.series = s.id where s.attempt = any($1::uuid[]) group by s.id',
    [attempts],
  );
  const segments = await query<{ id: number; attempt: string; body: SegmentColumn[] }>(
    on,
    'select id, attempt, body from metric_segment where attempt = any($1::uuid[]) order by first_seq',
    [attempts],
  );
  const sealed = totals.reduce((most, row) => Math.max(most, row.points), 0);
  const level = levelFor(sealed, width);
  const column = level === 1 ? 'c.body' : level === 4096 ? 'null::bytea' : `c.l${level}`;
  const chunks = await query<ChunkRow>(
    on,
    `select s.attempt, s.name, s.split, c.first_point, c.points, c.step0, c.step1, ${column} as level, c.min, c.max from series s join metric_chunk c on c.series = s.id
     where s.attempt = any($1::uuid[]) order by s.id, c.first_point`,
    [attempts],
  );
  const byKey = new Map<
    string,
    {
      count: number;
      parts: Map<string, Bucket[]>;
      tail: Map<string, Points & { steps: number[]; values: (number | null)[] }>;
    }
  >();
  function entry(name: string, split: string) {
    const key = `${split} ${name}`;
    const known = byKey.get(key) ?? { count: 0, parts: new Map(), tail: new Map() };
    byKey.set(key, known);
    return known;
  }
  for (const row of chunks) {
    const known = entry(row.name, row.split);
    const buckets: Bucket[] =
      row.level === null
        ? [[row.step0, row.max, row.min, row.max]]
        : level === 1
          ? toBuckets(decodePoints(row.level), 1)
          : decodeBuckets(row.level);
    known.count += row.points;
    known.parts.set(row.attempt, [...(known.parts.get(row.attempt) ?? []), ...buckets]);
  }
  for (const segment of segments) {
    for (const item of segment.body) {
      const known = entry(item.n, item.s);
      known.count += item.steps.length;
      const tail = known.tail.get(segment.attempt) ?? { steps: [], values: [] };
      for (let i = 0; i < item.steps.length; i++) {
        tail.steps.push(item.steps[i] ?? 0);
        tail.values.push(item.values[i] ?? null);
      }
      known.tail.set(segment.attempt, tail);
    }
  }
  const series: ReadSeries[] = [];
  for (const [key, known] of byKey) {
    const space = key.indexOf(' ');
    const name = key.slice(space + 1);
    if (names !== null && !names.includes(name)) continue;
    let buckets: Bucket[] = [];
    for (const attempt of attempts) {
      const tail = known.tail.get(attempt);
      const own = [
        ...(known.parts.get(attempt) ?? []),
        ...(tail === undefined ? [] : toBuckets(tail, Math.max(1, level === 4096 ? 512 : level))),
      ];
      const first = own[0];
      if (first !== undefined) buckets = [...cutBefore(buckets, first[0]), ...own];
    }
    series.push({ name, split: key.slice(0, space), count: known.count, points: reduceBuckets(buckets, width) });
  }
  series.sort((a, b) => (a.name === b.name ? (a.split < b.split ? -1 : 1) : a.name < b.name ? -1 : 1));
  return { series, cursor: String(segments.at(-1)?.id ?? (await lastSegment(on))) };
}

async function lastSegment(on: Queryable): Promise<number> {
  const [row] = await query<{ last: number }>(on, 'select last_value::bigint as last from metric_segment_id_seq');
  return row?.last ?? 0;
}
