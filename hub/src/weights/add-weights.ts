import { newId, Problem } from '@trainyard/plugin-sdk';
import { MAX_WEIGHTS_BYTES, type WeightsShape } from '@trainyard/plugin-sdk/api';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { recordBlobs } from '../blobs/record-blob.ts';
import { requireUser } from '../platform/access.ts';
import { query } from '../platform/sql.ts';
import { inTransaction, type Tx } from '../platform/transaction.ts';
import type { WeightsDeps } from './deps.ts';
import { toWeightsShape, type WeightsRow } from './weights-rows.ts';

interface NewFile {
  readonly organizationId: string;
  readonly visibility: 'private' | 'public';
  readonly name: string;
  readonly sha256: string;
  readonly license: string | null;
  readonly source: string;
  readonly addedBy: string;
}

/** A file name that means the same on every machine. */
function plainName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  if (!/^[\w][\w.+-]{0,254}$/.test(last))
    throw new Problem('bad-request', {
      detail: `${JSON.stringify(name)} cannot be the name of a file of weights.`,
      fix: 'Use letters, digits, dots, dashes and underscores.',
    });
  return last;
}

async function insertFile(
  tx: Tx,
  file: NewFile,
  state: 'fetching' | 'ready',
  bytes: number | null,
): Promise<WeightsRow> {
  const [row] = await tx.query<WeightsRow>(
    `insert into weights_file (id, organization_id, visibility, name, sha256, bytes, license, source, state, received, added_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict (organization_id, sha256) do update set state = case when weights_file.state = 'ready' then 'ready' else excluded.state end,
       bytes = coalesce(excluded.bytes, weights_file.bytes), received = greatest(weights_file.received, excluded.received), note = null returning *`,
    [
      newId(),
      file.organizationId,
      file.visibility,
      file.name,
      file.sha256,
      bytes,
      file.license,
      file.source,
      state,
      bytes ?? 0,
      file.addedBy,
    ],
  );
  if (row === undefined) throw new Error('a row that was just written is there');
  return row;
}

/** Stores an uploaded file for the caller's organisation. The same bytes again answer the same file. */
export async function uploadWeights(
  deps: WeightsDeps,
  caller: AuditCaller,
  input: { name: string; license?: string; sha256?: string },
  body: AsyncIterable<Uint8Array>,
): Promise<WeightsShape> {
  const user = requireUser(caller.principal);
  const name = plainName(input.name);
  const blob = await deps.blobs.put('weights', body, {
    maxBytes: MAX_WEIGHTS_BYTES,
    ...(input.sha256 === undefined ? {} : { expect: input.sha256 }),
  });
  if (blob.bytes === 0)
    throw new Problem('bad-request', { detail: 'The file is empty.', fix: 'Send the bytes of the file.' });
  const file: NewFile = {
    organizationId: user.organizationId,
    visibility: 'private',
    name,
    sha256: blob.sha256,
    license: input.license ?? null,
    source: 'upload',
    addedBy: user.name,
  };
  return inTransaction(deps.db, async (tx) => {
    const row = await insertFile(tx, file, 'ready', blob.bytes);
    await recordBlobs(tx, 'weights', [blob], { organizationId: user.organizationId, kind: 'weights', id: row.id });
    await recordAudit(tx, caller, 'weights.added', name, { sha256: blob.sha256 });
    return toWeightsShape(row);
  });
}

/** Whether a listed release says that this file lies at this address. */
async function isDeclared(deps: WeightsDeps, url: string, sha256: string): Promise<boolean> {
  const found = await query(
    deps.db.pool,
    `select 1 from release r, jsonb_array_elements(r.manifest->'models') m, jsonb_array_elements(coalesce(m->'weights', '[]')) w
     where r.state in ('published', 'deprecated') and w->>'url' = $1 and w->>'sha256' in ($2, 'sha256:' || $2) limit 1`,
    [url, sha256],
  );
  return found.length > 0;
}

/** Asks the hub to fetch a file. What a listed release declares is for everybody; other addresses only an administrator may name. */
export async function askForWeights(
  deps: WeightsDeps,
  caller: AuditCaller,
  input: { url: string; sha256: string; name?: string; license?: string },
): Promise<WeightsShape> {
  const user = requireUser(caller.principal);
  const declared = await isDeclared(deps, input.url, input.sha256);
  if (!declared && !user.isAdmin)
    throw new Problem('forbidden', {
      detail: 'No trainer declares a file at this address with this digest.',
      fix: 'Upload the file yourself, or ask an administrator to add it.',
    });
  const name = plainName(input.name ?? new URL(input.url).pathname);
  const file: NewFile = {
    organizationId: declared ? 'trainyard' : user.organizationId,
    visibility: declared ? 'public' : 'private',
    name,
    sha256: input.sha256,
    license: input.license ?? null,
    source: input.url,
    addedBy: user.name,
  };
  const row = await inTransaction(deps.db, async (tx) => {
    const made = await insertFile(tx, file, 'fetching', null);
    await recordAudit(tx, caller, 'weights.fetch_asked', name, { url: input.url, sha256: input.sha256 });
    return made;
  });
  await deps.bus.notify('weights', row.id);
  return toWeightsShape(row);
}
