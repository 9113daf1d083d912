import { isAdmin } from '../platform/access.ts';
import type { Principal } from '../platform/principal.ts';
import type { Queryable } from '../platform/sql.ts';
import { query } from '../platform/sql.ts';

/** What the hub reads of a manifest that passed its checks; the rest of the document travels as it is. */
export interface ManifestView {
  readonly tasks: readonly {
    readonly id: string;
    readonly datasets: readonly string[];
    readonly metrics: { readonly primary: string; readonly direction: string };
  }[];
  readonly models: readonly {
    readonly id?: string;
    readonly pattern?: string;
    readonly title?: string;
    readonly tasks: readonly string[];
    readonly status?: string;
    readonly weights?: readonly {
      readonly id: string;
      readonly title?: string;
      readonly source: string;
      readonly url?: string;
      readonly sha256?: string;
      readonly bytes?: number;
      readonly license?: string;
    }[];
  }[];
  readonly exports?: readonly {
    readonly format: string;
    readonly precisions?: readonly string[];
    readonly tasks?: readonly string[];
    readonly models?: readonly string[];
    readonly dynamic?: readonly string[];
  }[];
  readonly capabilities: { readonly resume: string; readonly devices: readonly string[] };
  readonly resources?: { readonly grace?: number };
  readonly framework: { readonly name: string; readonly version: string };
  readonly [field: string]: unknown;
}

/** A release with its listing, as the tables hold it. */
export interface ReleaseRow {
  readonly id: string;
  readonly trainer: string;
  readonly owner: string;
  readonly name: string;
  readonly official: boolean;
  readonly organization_id: string;
  readonly version: string;
  readonly state: string;
  readonly package_digest: string;
  readonly package_bytes: number;
  readonly manifest: ManifestView;
  readonly config_schema: string;
  readonly presets: Record<string, unknown>[];
  readonly readme: string;
  readonly changelog: string | null;
  readonly entries: { path: string; offset: number; size: number; sha256: string }[];
  readonly title: string;
  readonly summary: string;
  readonly license: string;
  readonly framework: string;
  readonly tasks: string[];
  readonly exports: string[];
  readonly devices: string[];
  readonly level: string;
  readonly report: Record<string, unknown> | null;
  readonly reason: string | null;
  readonly submitted_by: string;
  readonly submitted_at: Date;
  readonly published_at: Date | null;
  readonly current_job: string | null;
  /** An official trainer, one of an administrator's own organisation, or a digest that an administrator approved. */
  readonly trusted: boolean;
  readonly approved_by: string | null;
  /** The job that measures it further once it is published, and why the last one came to nothing. */
  readonly proof_job: string | null;
  readonly proof_note: string | null;
}

/** Whose releases somebody sees beside those that are for everybody. */
export interface Audience {
  readonly organizationId: string | null;
  /** Administrators and the installation itself. */
  readonly all: boolean;
}
export const EVERYBODY: Audience = { organizationId: null, all: false };

export function audienceOf(principal: Principal): Audience {
  return { organizationId: principal.kind === 'user' ? principal.organizationId : null, all: isAdmin(principal) };
}

/**
 * Policy `local`: what keeps the protocol (L1) is listed inside its organisation, what was seen to learn, stop and resume (L2) for everybody. Official
 * trainers belong to the installation, and everybody on it is its organisation. For `release r join trainer t`; parameters: organisation, all.
 */
export function listedFor(organization: string, all: string): string {
  return `(t.official or r.level in ('L2', 'L3') or ${all}::boolean or t.organization_id = ${organization}::text)`;
}
export function isListedFor(row: ReleaseRow, audience: Audience): boolean {
  const everybody = row.official || row.level === 'L2' || row.level === 'L3';
  return everybody || audience.all || row.organization_id === audience.organizationId;
}

export const RELEASE_COLUMNS = `r.*, t.owner, t.name, t.official, t.organization_id, a.approved_by,
  (t.official or a.digest is not null or exists (
     select 1 from member m join "user" u on u.id = m."userId" where m."organizationId" = t.organization_id and u.role = 'admin')) as trusted`;
export const RELEASE_TABLES =
  'release r join trainer t on t.id = r.trainer left join approved_digest a on a.digest = r.package_digest';

export async function findReleaseById(on: Queryable, id: string): Promise<ReleaseRow | null> {
  const [row] = await query<ReleaseRow>(on, `select ${RELEASE_COLUMNS} from ${RELEASE_TABLES} where r.id::text = $1`, [
    id,
  ]);
  return row ?? null;
}

/** One version of a listing (rejected rows of the same number are older tries: the newest counts), or the newest listed one. */
export async function findRelease(
  on: Queryable,
  owner: string,
  name: string,
  version: string | null,
  audience: Audience,
): Promise<ReleaseRow | null> {
  const [row] = await query<ReleaseRow>(
    on,
    `select ${RELEASE_COLUMNS} from ${RELEASE_TABLES} where t.owner = $1 and t.name = $2 and ($3::text is null or r.version = $3)
     order by ($3::text is null and r.state in ('published', 'deprecated') and ${listedFor('$4', '$5')}) desc, (r.state = 'published') desc, r.version_key desc, r.submitted_at desc limit 1`,
    [owner, name, version, audience.organizationId, audience.all],
  );
  return row ?? null;
}
