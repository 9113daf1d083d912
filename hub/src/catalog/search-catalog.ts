import type { searchTrainers, TrainerCard } from '@trainyard/plugin-sdk/api';
import { decodeCursor, encodeCursor } from '../platform/page.ts';
import type { Queryable } from '../platform/sql.ts';
import type { Audience } from '../trainers/find-release.ts';
import {
  countFacets,
  countFound,
  FACET_NAMES,
  searchRows,
  type CatalogFilter,
  type CatalogRow,
  type FacetName,
} from './search-catalog.sql.ts';

type Types = NonNullable<(typeof searchTrainers)['types']>;
export type CatalogQuery = Types['input']['query'];
export type CatalogReply = Types['output'];

export function toTrainerCard(row: CatalogRow): TrainerCard {
  return {
    owner: row.owner,
    name: row.name,
    title: row.title,
    summary: row.summary,
    version: row.version,
    releaseId: row.id,
    license: row.license,
    framework: row.framework,
    tasks: row.tasks,
    exports: row.exports,
    devices: row.devices,
    level: row.level,
    official: row.official,
    state: row.state,
    publishedAt: row.published_at.toISOString(),
    hasIcon: row.has_icon,
    runs: { finished: row.finished, succeeded: row.succeeded, medianSeconds: row.median_seconds },
  };
}

const EMPTY: Omit<CatalogFilter, 'audience'> = {
  q: null,
  task: null,
  framework: null,
  export: null,
  level: null,
  license: null,
  device: null,
  owner: null,
};

export async function cardOf(
  on: Queryable,
  owner: string,
  name: string,
  audience: Audience,
): Promise<TrainerCard | null> {
  const rows = await searchRows(on, { ...EMPTY, owner, audience }, 'newest', 0, 1000);
  const row = rows.find((item) => item.name === name);
  return row === undefined ? null : toTrainerCard(row);
}

/** The only way to search. Counts of a facet ignore that facet's own filter, so that its other values stay reachable. */
export async function searchCatalog(on: Queryable, input: CatalogQuery, audience: Audience): Promise<CatalogReply> {
  const limit = input.limit ?? 24;
  const offset = Number(decodeCursor(input.cursor, 1)?.[0] ?? 0);
  const q = input.q?.trim() ?? '';
  const filter: CatalogFilter = {
    q: q === '' ? null : q,
    task: input.task ?? null,
    framework: input.framework ?? null,
    export: input.export ?? null,
    level: input.level ?? null,
    license: input.license ?? null,
    device: input.device ?? null,
    owner: input.owner ?? null,
    audience,
  };
  const [rows, counts, total] = await Promise.all([
    searchRows(on, filter, input.sort ?? 'relevance', offset, limit + 1),
    countFacets(on, filter),
    countFound(on, filter),
  ]);
  const facets = Object.fromEntries(
    FACET_NAMES.map((name): [FacetName, { value: string; count: number }[]] => [
      name,
      counts.filter((count) => count.name === name).map(({ value, count }) => ({ value, count })),
    ]),
  ) as CatalogReply['facets'];
  return {
    items: rows.slice(0, limit).map(toTrainerCard),
    next: rows.length > limit ? encodeCursor([offset + limit]) : null,
    total,
    facets,
  };
}
