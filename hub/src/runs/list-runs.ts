import type { RunShape } from '@trainyard/plugin-sdk/api';
import { isAdmin } from '../platform/access.ts';
import { decodeCursor, pageOf } from '../platform/page.ts';
import type { Principal } from '../platform/principal.ts';
import type { RunDeps } from './deps.ts';
import { selectRuns, toRunShapes } from './run-rows.ts';

export interface ListInput {
  readonly state?: string;
  readonly trainer?: string;
  readonly verb?: string;
  readonly mine?: boolean;
  readonly cursor?: string;
  readonly limit?: number;
}

/** Runs the caller may see, newest first: the own organisation's, public ones, for administrators all. */
export async function listRuns(
  deps: RunDeps,
  principal: Principal,
  input: ListInput,
): Promise<{ items: RunShape[]; next: string | null }> {
  const limit = input.limit ?? 25;
  const after = decodeCursor(input.cursor, 2);
  const organization = principal.kind === 'user' ? principal.organizationId : null;
  const all = isAdmin(principal) && input.mine !== true;
  const rows = await selectRuns(
    deps.db.pool,
    `($1 or run.organization_id = $2 or (run.visibility = 'public' and not $3)) and ($4::text[] is null or run.state = any($4)) and ($5::text is null or t.owner || '/' || t.name = $5)
       and ($6::text is null or run.verb = $6) and ($7::timestamptz is null or (run.created_at, run.id) < ($7, $8::uuid))
     order by run.created_at desc, run.id desc limit $9`,
    [
      all,
      organization,
      input.mine === true,
      input.state?.split(',') ?? null,
      input.trainer?.replace(/^@/, '') ?? null,
      input.verb ?? null,
      after?.[0] ?? null,
      after?.[1] ?? null,
      limit + 1,
    ],
  );
  const page = pageOf(rows, limit, (row) => [row.created_at.toISOString(), row.id]);
  return { items: await toRunShapes(deps.db.pool, page.items), next: page.next };
}
