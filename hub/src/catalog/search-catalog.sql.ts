import { query, type Queryable } from '../platform/sql.ts';
import { listedFor, type Audience } from '../trainers/find-release.ts';

export interface CatalogFilter {
  readonly q: string | null;
  readonly task: string | null;
  readonly framework: string | null;
  readonly export: string | null;
  readonly level: string | null;
  readonly license: string | null;
  readonly device: string | null;
  readonly owner: string | null;
  readonly audience: Audience;
}
export interface CatalogRow {
  id: string;
  owner: string;
  name: string;
  official: boolean;
  title: string;
  summary: string;
  version: string;
  license: string;
  framework: { name: string; version: string };
  tasks: string[];
  exports: string[];
  devices: string[];
  level: string;
  state: string;
  published_at: Date;
  has_icon: boolean;
  finished: number;
  succeeded: number;
  median_seconds: number | null;
  rank: number;
}

/** The newest listed release of each trainer; whole words by full text, parts of words by trigram. */
const LISTED = `listed as (
  select distinct on (r.trainer) r.*, t.owner, t.name, t.official from release r join trainer t on t.id = r.trainer
  where r.state in ('published', 'deprecated') and ${listedFor('$10', '$11')} order by r.trainer, (r.state = 'published') desc, r.version_key desc
), found as (
  select l.*, case when $1::text is null then 0 else ts_rank(l.search, plainto_tsquery('simple', $1)) + similarity(l.title || ' ' || l.owner || '/' || l.name, $1) end as rank
  from listed l
  where ($1::text is null or l.search @@ plainto_tsquery('simple', $1) or (l.title || ' ' || l.owner || '/' || l.name || ' ' || l.summary) ilike '%' || $9 || '%'
      or word_similarity($1, l.title || ' ' || l.name) > 0.5)
)`;
const FACETS = {
  task: ['$2::text is null or $2 = any(tasks)', 'unnest(tasks)'],
  framework: ['$3::text is null or framework = $3', 'framework'],
  export: ['$4::text is null or $4 = any(exports)', 'unnest(exports)'],
  level: ['$5::text is null or level = $5', 'level'],
  license: ['$6::text is null or license = $6', 'license'],
  device: ['$7::text is null or $7 = any(devices)', 'unnest(devices)'],
  owner: ['$8::text is null or owner = $8', 'owner'],
} as const;
export type FacetName = keyof typeof FACETS;
export const FACET_NAMES = Object.keys(FACETS) as FacetName[];

function parameters(filter: CatalogFilter): unknown[] {
  const like = filter.q?.replace(/[\\%_]/g, '\\$&') ?? null;
  return [
    filter.q,
    filter.task,
    filter.framework,
    filter.export,
    filter.level,
    filter.license,
    filter.device,
    filter.owner,
    like,
    filter.audience.organizationId,
    filter.audience.all,
  ];
}
function conditions(except: FacetName | null): string {
  return FACET_NAMES.filter((name) => name !== except)
    .map((name) => `(${FACETS[name][0]})`)
    .join(' and ');
}
/** PostgreSQL wants every parameter used with one type; a facet query may leave some out. Always true (`row is not null` is not: it asks every field). */
const ALL_TYPED =
  'num_nulls($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::boolean) >= 0';

export async function searchRows(
  on: Queryable,
  filter: CatalogFilter,
  sort: 'relevance' | 'newest' | 'name',
  offset: number,
  limit: number,
): Promise<CatalogRow[]> {
  const order =
    sort === 'name'
      ? 'title, owner, name'
      : sort === 'newest'
        ? 'published_at desc, id'
        : "(state = 'published') desc, rank desc, level desc, official desc, published_at desc, id";
  return query<CatalogRow>(
    on,
    `with ${LISTED}
     select f.id, f.owner, f.name, f.official, f.title, f.summary, f.version, f.license, f.manifest->'framework' as framework, f.tasks, f.exports, f.devices, f.level, f.state, f.published_at, f.rank,
       f.manifest ? 'icon' as has_icon, u.finished, u.succeeded, u.median_seconds
     from found f left join lateral (
       select count(*) filter (where run.state in ('succeeded', 'failed'))::int as finished, count(*) filter (where run.state = 'succeeded')::int as succeeded,
         percentile_cont(0.5) within group (order by extract(epoch from run.ended_at - run.started_at)) filter (where run.state = 'succeeded')::float8 as median_seconds
       from run join release rr on rr.id = run.release where rr.trainer = f.trainer and run.verb = 'train') u on true
     where ${conditions(null)} and ${ALL_TYPED} order by ${order} offset $12 limit $13`,
    [...parameters(filter), offset, limit],
  );
}

export async function countFacets(
  on: Queryable,
  filter: CatalogFilter,
): Promise<{ name: FacetName; value: string; count: number }[]> {
  const parts = FACET_NAMES.map(
    (name) =>
      `select '${name}' as name, value, count(*)::int as count from (select ${FACETS[name][1]} as value from found where ${conditions(name)} and ${ALL_TYPED}) v group by value`,
  );
  return query(on, `with ${LISTED} ${parts.join(' union all ')} order by name, count desc, value`, parameters(filter));
}

export async function countFound(on: Queryable, filter: CatalogFilter): Promise<number> {
  const [row] = await query<{ count: number }>(
    on,
    `with ${LISTED} select count(*)::int as count from (select 1 from found where ${conditions(null)} and ${ALL_TYPED} limit 1001) c`,
    parameters(filter),
  );
  return row?.count ?? 0;
}
