import type { WeightsShape } from '@trainyard/plugin-sdk/api';
import { query, type Queryable } from '../platform/sql.ts';
import type { Audience } from '../trainers/find-release.ts';

export interface WeightsRow {
  readonly id: string;
  readonly organization_id: string;
  readonly visibility: string;
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number | null;
  readonly license: string | null;
  readonly source: string;
  readonly state: WeightsShape['state'];
  readonly received: number;
  readonly note: string | null;
  readonly added_by: string;
  readonly created_at: Date;
}

export function toWeightsShape(row: WeightsRow): WeightsShape {
  return {
    id: row.id,
    name: row.name,
    sha256: row.sha256,
    bytes: row.bytes,
    received: row.received,
    license: row.license,
    source: row.source,
    state: row.state,
    note: row.note,
    addedBy: row.added_by,
    createdAt: row.created_at.toISOString(),
  };
}

/** Files that this audience may use, ready ones of a digest first. */
export async function selectWeights(on: Queryable, audience: Audience, sha256: string | null): Promise<WeightsRow[]> {
  return query<WeightsRow>(
    on,
    `select * from weights_file where ($1::text is null or sha256 = $1) and (visibility = 'public' or organization_id = $2 or $3::boolean)
     order by (state = 'ready') desc, created_at desc limit 500`,
    [sha256, audience.organizationId, audience.all],
  );
}
