import { directoryDigest, newId, Problem, type FileEntry } from '@trainyard/plugin-sdk';
import type { BlobStore } from '../blobs/blob-store.ts';
import { recordBlobs } from '../blobs/record-blob.ts';
import { requireAttempt } from '../jobs/require-attempt.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { NOTIFY_SQL } from '../platform/event-bus.ts';
import { signTicket } from '../platform/signed-token.ts';
import { inTransaction } from '../platform/transaction.ts';

export interface ArtifactInput {
  readonly fence: number;
  readonly kind: string;
  readonly path: string;
  readonly mediaType: string;
  readonly sha256: string;
  readonly files: readonly FileEntry[];
  readonly meta: Readonly<Record<string, unknown>>;
}

export interface ArtifactDeps {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly ticketSecret: string;
  readonly hubUrl: string;
}

const TICKET_SECONDS = 15 * 60;

function requireSafePath(path: string): void {
  const parts = path.split('/');
  if (
    path.startsWith('/') ||
    path.includes('\\') ||
    parts.some((part) => part === '' || part === '.' || part === '..')
  ) {
    throw new Problem('bad-request', {
      detail: `The path ${JSON.stringify(path)} leaves its folder.`,
      fix: 'Paths are relative, with / and without .. parts.',
    });
  }
}

/**
 * Called until nothing is missing: first answers where to PUT each missing file, then records. Usable only once every byte is there and hashed; a digest
 * the agent announced is compared, never believed. The same artifact again answers the same id.
 */
export async function registerArtifact(
  deps: ArtifactDeps,
  attempt: string,
  input: ArtifactInput,
): Promise<{ recorded: boolean; artifact: string | null; missing: { sha256: string; url: string }[] }> {
  for (const file of input.files) requireSafePath(file.path);
  requireSafePath(input.path);
  const single = input.files[0];
  const digest = input.files.length === 1 && single?.path === input.path ? single.sha256 : directoryDigest(input.files);
  if (digest !== input.sha256)
    throw new Problem('digest-mismatch', {
      detail: `${input.path}: announced ${input.sha256.slice(0, 12)}…, its files give ${digest.slice(0, 12)}….`,
      fix: 'Send the file list again.',
    });
  const exp = deps.clock.now() + TICKET_SECONDS * 1000;
  const missing: { sha256: string; url: string }[] = [];
  for (const file of new Map(input.files.map((item) => [item.sha256, item])).values()) {
    if (await deps.blobs.has('results', file.sha256)) continue;
    missing.push({
      sha256: file.sha256,
      url: `${deps.hubUrl}/blobs/${signTicket(deps.ticketSecret, { m: 'PUT', digest: `results/${file.sha256}`, bytes: file.bytes, exp })}`,
    });
  }
  return inTransaction(deps.db, async (tx) => {
    const open = await requireAttempt(tx, attempt, input.fence);
    if (missing.length > 0) return { recorded: false, artifact: null, missing };
    const bytes = input.files.reduce((sum, file) => sum + file.bytes, 0);
    const id = newId();
    const [row] = await tx.query<{ id: string }>(
      `insert into artifact (id, attempt, job, subject, organization_id, kind, path, media_type, sha256, bytes, files, meta) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
       on conflict (attempt, path, sha256) do update set meta = excluded.meta returning id`,
      [
        id,
        open.id,
        open.job.id,
        open.job.subject,
        open.job.organization_id,
        input.kind,
        input.path,
        input.mediaType,
        input.sha256,
        bytes,
        JSON.stringify(input.files),
        JSON.stringify(input.meta),
      ],
    );
    const artifact = row?.id ?? id;
    await recordBlobs(tx, 'results', input.files, {
      organizationId: open.job.organization_id,
      kind: 'artifact',
      id: artifact,
    });
    await tx.query(NOTIFY_SQL, ['subject', open.job.subject]);
    return { recorded: true, artifact, missing: [] };
  });
}
