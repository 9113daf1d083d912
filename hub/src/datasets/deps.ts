import type { BlobStore } from '../blobs/blob-store.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';

export interface DatasetDeps {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly ticketSecret: string;
  /** Folder for uploads that are not read yet; on the same disk as the blobs. */
  readonly scratch: string;
}
