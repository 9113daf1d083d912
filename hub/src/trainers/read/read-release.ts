import { Problem } from '@trainyard/plugin-sdk';
import {
  RELEASE_STATES,
  type ByteReply,
  type LiveMessage,
  type ReleaseDetail,
  type ReleaseSummary,
} from '@trainyard/plugin-sdk/api';
import { gunzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { canChange, notFound, requireUser } from '../../platform/access.ts';
import { decodeCursor, pageOf } from '../../platform/page.ts';
import type { Principal } from '../../platform/principal.ts';
import { query } from '../../platform/sql.ts';
import type { TrainerDeps } from '../deps.ts';
import {
  audienceOf,
  findRelease,
  findReleaseById,
  isListedFor,
  listedFor,
  RELEASE_COLUMNS,
  RELEASE_TABLES,
  type ReleaseRow,
} from '../find-release.ts';
import { toReleaseDetail, toReleaseSummary } from '../release-shape.ts';

const LISTED = new Set<string>(['published', 'deprecated', 'yanked']);

/** What is listed for the caller; everything else only for its organisation and administrators. */
export async function requireRelease(deps: TrainerDeps, principal: Principal, id: string): Promise<ReleaseRow> {
  const row = await findReleaseById(deps.db.pool, id);
  if (
    row === null ||
    !(
      (LISTED.has(row.state) && isListedFor(row, audienceOf(principal))) ||
      canChange(principal, { organizationId: row.organization_id, visibility: 'private' })
    )
  )
    throw notFound('release');
  return row;
}

export async function readRelease(deps: TrainerDeps, principal: Principal, id: string): Promise<ReleaseDetail> {
  return toReleaseDetail(deps.db.pool, await requireRelease(deps, principal, id), principal);
}

/** One version of a listing (the newest listed one without a version) and the releases the caller may see, newest first. */
export async function readTrainer(
  deps: TrainerDeps,
  principal: Principal,
  input: { owner: string; name: string; version?: string },
): Promise<{ release: ReleaseDetail; releases: ReleaseSummary[]; row: ReleaseRow }> {
  const row = await findRelease(deps.db.pool, input.owner, input.name, input.version ?? null, audienceOf(principal));
  if (row === null) throw notFound('trainer');
  await requireRelease(deps, principal, row.id);
  const audience = audienceOf(principal);
  const mine = canChange(principal, { organizationId: row.organization_id, visibility: 'private' });
  const rows = await query<ReleaseRow>(
    deps.db.pool,
    `select ${RELEASE_COLUMNS} from ${RELEASE_TABLES} where r.trainer = $1 and ($2 or (r.state in ('published', 'deprecated', 'yanked') and ${listedFor('$3', '$4')})) order by r.version_key desc, r.submitted_at desc limit 200`,
    [row.trainer, mine, audience.organizationId, audience.all],
  );
  return { release: await toReleaseDetail(deps.db.pool, row, principal), releases: rows.map(toReleaseSummary), row };
}

export async function listMyReleases(
  deps: TrainerDeps,
  principal: Principal,
  input: { cursor?: string; limit?: number },
): Promise<{ items: ReleaseSummary[]; next: string | null }> {
  const user = requireUser(principal);
  const limit = input.limit ?? 50;
  const after = decodeCursor(input.cursor, 2);
  const rows = await query<ReleaseRow>(
    deps.db.pool,
    `select ${RELEASE_COLUMNS} from ${RELEASE_TABLES} where t.organization_id = $1 and ($2::timestamptz is null or (r.submitted_at, r.id) < ($2, $3::uuid)) order by r.submitted_at desc, r.id desc limit $4`,
    [user.organizationId, after?.[0] ?? null, after?.[1] ?? null, limit + 1],
  );
  const page = pageOf(rows, limit, (row) => [row.submitted_at.toISOString(), row.id]);
  return { items: page.items.map(toReleaseSummary), next: page.next };
}

const SHOWN_TYPES: Readonly<Record<string, string>> = {
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  md: 'text/plain; charset=utf-8',
  yaml: 'text/plain; charset=utf-8',
  json: 'text/plain; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
  py: 'text/plain; charset=utf-8',
  ts: 'text/plain; charset=utf-8',
  lock: 'text/plain; charset=utf-8',
};

/** One file out of the stored archive by its offset; packages are at most 20 MiB, so one inflate in memory is bounded. */
export async function readReleaseFile(
  deps: TrainerDeps,
  principal: Principal,
  input: { release: string; path: string },
): Promise<ByteReply> {
  const row = await requireRelease(deps, principal, input.release);
  const entry = row.entries.find((item) => item.path === input.path);
  if (entry === undefined) throw notFound('file');
  const packed = await buffer(Readable.from(await deps.blobs.read('packages', row.package_digest.slice(7))));
  const bytes = gunzipSync(packed).subarray(entry.offset, entry.offset + entry.size);
  const type = SHOWN_TYPES[input.path.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'application/octet-stream';
  return {
    stream: (async function* () {
      yield bytes;
    })(),
    mediaType: type,
    bytes: bytes.length,
    etag: entry.sha256,
    ...(type === 'application/octet-stream' ? { fileName: input.path.split('/').at(-1) ?? 'file' } : {}),
  };
}

export interface ReleaseFrame {
  readonly type: 'release';
  readonly state: string;
  readonly version: string;
  readonly stages: ReleaseDetail['stages'];
  readonly findings: ReleaseDetail['findings'];
  readonly waiting: ReleaseDetail['waiting'];
}
const OPEN = new Set<string>(['submitted', 'validating']);
const IDLE_MS = 2000;

/** Stages and findings as they come; each frame is whole, so a reader who reconnects misses nothing. Ends with the final state. */
export async function* streamRelease(
  deps: TrainerDeps,
  principal: Principal,
  id: string,
  signal: AbortSignal,
): AsyncIterable<LiveMessage<ReleaseFrame>> {
  let shown = '';
  let wake: () => void = () => undefined;
  const off = deps.bus.on('subject', (subject) => subject === id && wake());
  signal.addEventListener('abort', () => wake(), { once: true });
  try {
    for (let number = 1; !signal.aborted;) {
      const hint = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const detail = await readRelease(deps, principal, id);
      if (!RELEASE_STATES.some((state) => state === detail.state))
        throw new Problem('internal', { detail: `unknown state ${detail.state}` });
      const frame: ReleaseFrame = {
        type: 'release',
        state: detail.state,
        version: detail.version,
        stages: detail.stages,
        findings: detail.findings,
        waiting: detail.waiting,
      };
      const text = JSON.stringify(frame);
      if (text !== shown) {
        shown = text;
        yield { id: String(number++), data: frame };
      }
      if (!OPEN.has(detail.state)) return;
      const timer = setTimeout(() => wake(), IDLE_MS);
      await hint;
      clearTimeout(timer);
    }
  } finally {
    off();
  }
}
