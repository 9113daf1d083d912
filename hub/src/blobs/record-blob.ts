import type { Tx } from '../platform/transaction.ts';
import type { StoredBlob, StoreName } from './blob-store.ts';

export interface BlobOwner {
  readonly organizationId: string;
  readonly kind: 'snapshot' | 'release' | 'artifact' | 'bundled' | 'upload' | 'weights' | 'pictures';
  readonly id: string;
}

/** Rows after the bytes: a crash in between leaves garbage, never a dangling reference. Knowing a digest gives nothing: reads go through a use. */
export async function recordBlobs(
  tx: Tx,
  store: StoreName,
  blobs: readonly StoredBlob[],
  owner: BlobOwner,
): Promise<void> {
  if (blobs.length === 0) return;
  const digests = blobs.map((blob) => blob.sha256);
  await tx.query(
    'insert into blob (store, sha256, bytes) select $1, * from unnest($2::text[], $3::bigint[]) on conflict do nothing',
    [store, digests, blobs.map((blob) => blob.bytes)],
  );
  await tx.query(
    'insert into blob_use (store, sha256, organization_id, owner_kind, owner_id) select distinct $1, d, $3, $4, $5 from unnest($2::text[]) d on conflict do nothing',
    [store, digests, owner.organizationId, owner.kind, owner.id],
  );
}

/** Bytes that were stored for something that was then refused. Without a row the collector would never find them. */
export async function recordUnused(tx: Tx, store: StoreName, blobs: readonly StoredBlob[]): Promise<void> {
  await tx.query(
    'insert into blob (store, sha256, bytes) select distinct on (s) $1, s, b from unnest($2::text[], $3::bigint[]) u(s, b) on conflict do nothing',
    [store, blobs.map((blob) => blob.sha256), blobs.map((blob) => blob.bytes)],
  );
}
