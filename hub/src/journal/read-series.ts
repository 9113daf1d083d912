import type pg from 'pg';
import { query } from '../platform/sql.ts';
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
  total: number;
  level: Buffer | null;
  min: number | null;
  max: number | null;
}

interface SegmentRow {
  id: number;
  attempt: string;
  body: SegmentColumn[];
}

/** Where a later attempt overlaps an earlier one in steps, the later one is shown. */
function cutBefore(buckets: Bucket[], step: number): Bucket[] {
  const end = buckets.findIndex((bucket) => bucket[0] >= step);
  return end < 0 ? buckets : buckets.slice(0, end);
}

/** Each series has its own level: ten points of validation beside a million of training stay ten points. */
function levelColumn(width: number): string {
  return `case when t.points >= ${width} * 4096 then null::bytea when t.points >= ${width} * 512 then c.l512 when t.points >= ${width} * 64 then c.l64 when t.points >= ${width} * 8 then c.l8 else c.body end`;
}

/** Segments and chunks of one moment: a seal between two statements would show points twice or not at all. */
async function readStored(
  pool: pg.Pool,
  attempts: readonly string[],
  width: number,
): Promise<{ chunks: ChunkRow[]; segments: SegmentRow[] }> {
  const client = await pool.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    const segments = await query<SegmentRow>(
      client,
      'select id, attempt, body from metric_segment where attempt = any($1::uuid[]) order by attempt, first_seq',
      [attempts],
    );
    const chunks = await query<ChunkRow>(
      client,
      `select s.attempt, s.name, s.split, c.first_point, c.points, c.step0, c.step1, t.points as total, ${levelColumn(width)} as level, c.min, c.max
       from (select s.id, sum(c.points)::bigint as points from series s join metric_chunk c on c.series = s.id where s.attempt = any($1::uuid[]) group by s.id) t
         join series s on s.id = t.id join metric_chunk c on c.series = s.id order by s.id, c.first_point`,
      [attempts],
    );
    await client.query('commit');
    return { chunks, segments };
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

/**
 * Curves of attempts (oldest first) at about `width` buckets per series. Reads only the level of the chunks that the width needs, adds what is not sealed
 * yet. `cursor` is the last segment seen: the live stream goes on from there.
 */
export async function readSeriesOf(
  on: pg.Pool,
  attempts: readonly string[],
  width: number,
  names: readonly string[] | null,
): Promise<{ series: ReadSeries[]; cursor: string }> {
  const { chunks, segments } = await readStored(on, attempts, width);
  const byKey = new Map<
    string,
    {
      count: number;
      level: number;
      parts: Map<string, Bucket[]>;
      tail: Map<string, Points & { steps: number[]; values: (number | null)[] }>;
    }
  >();
  function entry(name: string, split: string) {
    const key = `${split} ${name}`;
    const known = byKey.get(key) ?? { count: 0, level: 1, parts: new Map(), tail: new Map() };
    byKey.set(key, known);
    return known;
  }
  for (const row of chunks) {
    const known = entry(row.name, row.split);
    const level = levelFor(row.total, width);
    known.level = Math.max(known.level, level);
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
        ...(tail === undefined ? [] : toBuckets(tail, Math.min(512, known.level))),
      ];
      const first = own[0];
      if (first !== undefined) buckets = [...cutBefore(buckets, first[0]), ...own];
    }
    series.push({ name, split: key.slice(0, space), count: known.count, points: reduceBuckets(buckets, width) });
  }
  series.sort((a, b) => (a.name === b.name ? (a.split < b.split ? -1 : 1) : a.name < b.name ? -1 : 1));
  // Only what was seen counts: a number taken from the sequence may belong to a segment that is not committed yet.
  return { series, cursor: String(segments.reduce((last, segment) => Math.max(last, segment.id), 0)) };
}
