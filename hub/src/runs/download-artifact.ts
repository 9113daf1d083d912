import { writeZip } from '@trainyard/plugin-sdk/archive';
import type { ByteReply } from '@trainyard/plugin-sdk/api';
import { Problem, type FileEntry } from '@trainyard/plugin-sdk';
import { notFound, requireRead } from '../platform/access.ts';
import type { Principal } from '../platform/principal.ts';
import { query } from '../platform/sql.ts';
import { signTicket } from '../platform/signed-token.ts';
import type { RunDeps } from './deps.ts';

interface Row {
  kind: string;
  path: string;
  media_type: string;
  sha256: string;
  bytes: number;
  files: FileEntry[];
  name: string;
  organization_id: string;
  visibility: string;
}

const LINK_SECONDS = 15 * 60;
const MAX_ZIP_BYTES = 1024 * 1024 * 1024;

async function requireArtifact(deps: RunDeps, principal: Principal, artifact: string): Promise<Row> {
  const [row] = await query<Row>(
    deps.db.pool,
    `select a.kind, a.path, a.media_type, a.sha256, a.bytes, a.files, run.name, run.organization_id, run.visibility from artifact a join run on run.id::text = a.subject where a.id::text = $1`,
    [artifact],
  );
  requireRead(
    principal,
    row === undefined ? null : { organizationId: row.organization_id, visibility: row.visibility },
    'artifact',
  );
  if (row === undefined) throw notFound('artifact');
  return row;
}

function pickFile(row: Row, path: string | undefined): FileEntry | null {
  const found =
    path === undefined
      ? row.files.length === 1
        ? row.files[0]
        : undefined
      : row.files.find((file) => file.path === path);
  if (found === undefined && path !== undefined) throw notFound('file');
  return found ?? null;
}

function baseName(path: string): string {
  return path.split('/').at(-1) ?? path;
}

async function readAll(deps: RunDeps, file: FileEntry): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of await deps.blobs.read('results', file.sha256)) parts.push(chunk);
  return Buffer.concat(parts);
}

/** One file as it is, or all files of the artifact as a .zip. */
export async function downloadArtifact(
  deps: RunDeps,
  principal: Principal,
  input: { artifact: string; file?: string },
): Promise<ByteReply> {
  const row = await requireArtifact(deps, principal, input.artifact);
  const file = pickFile(row, input.file);
  if (file !== null) {
    return {
      stream: await deps.blobs.read('results', file.sha256),
      mediaType: row.files.length === 1 ? row.media_type : 'application/octet-stream',
      bytes: file.bytes,
      fileName: baseName(file.path),
      etag: file.sha256,
    };
  }
  if (row.bytes > MAX_ZIP_BYTES)
    throw new Problem('too-large', {
      detail: 'This is too large for one archive.',
      fix: 'Download its files one by one.',
    });
  const zip = writeZip(
    await Promise.all(
      row.files.map(async (entry) => ({
        path: entry.path.replace(/^(output\/)?export\//, ''),
        bytes: await readAll(deps, entry),
      })),
    ),
  );
  const stem = `${row.kind}-${row.name}`.replace(/[^\w.-]+/g, '-').toLowerCase();
  return {
    stream: (async function* () {
      yield zip;
    })(),
    mediaType: 'application/zip',
    bytes: zip.length,
    fileName: `${stem}.zip`,
    etag: `${row.sha256}-zip`,
  };
}

/** A link to one file that is its own permission for a quarter of an hour. */
export async function linkArtifact(
  deps: RunDeps,
  principal: Principal,
  input: { artifact: string; file?: string },
): Promise<{ url: string; expiresAt: string }> {
  const row = await requireArtifact(deps, principal, input.artifact);
  const file = pickFile(row, input.file ?? row.files[0]?.path);
  if (file === null) throw notFound('file');
  const exp = deps.clock.now() + LINK_SECONDS * 1000;
  const ticket = signTicket(deps.ticketSecret, {
    m: 'GET',
    digest: `results/${file.sha256}`,
    name: baseName(file.path),
    type: row.media_type,
    exp,
  });
  return { url: `/blobs/${ticket}`, expiresAt: new Date(exp).toISOString() };
}
