import { query, type Queryable } from '../../platform/sql.ts';
import { splitTrainerName } from '@trainyard/plugin-sdk';
import { listedFor, type Audience } from '../find-release.ts';

export interface VisibleReleases {
  readonly versions: string[];
  readonly latest: string | null;
  readonly deprecated: Record<string, string>;
}

/** What the registry may show this audience of a package; null = nothing. */
export async function visibleReleases(
  on: Queryable,
  packageName: string,
  audience: Audience,
): Promise<VisibleReleases | null> {
  const name = splitTrainerName(packageName);
  if (name === null) return null;
  const rows = await query<{ version: string; state: string; reason: string | null }>(
    on,
    `select r.version, r.state, r.reason from release r join trainer t on t.id = r.trainer where t.owner = $1 and t.name = $2 and r.state in ('published', 'deprecated') and ${listedFor('$3', '$4')} order by r.version_key`,
    [name.owner, name.name, audience.organizationId, audience.all],
  );
  if (rows.length === 0) return null;
  return {
    versions: rows.map((row) => row.version),
    latest:
      (rows.findLast((row) => row.state === 'published' && !row.version.includes('-')) ?? rows.at(-1))?.version ?? null,
    deprecated: Object.fromEntries(
      rows.filter((row) => row.state === 'deprecated').map((row) => [row.version, row.reason ?? 'deprecated']),
    ),
  };
}
