import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../platform/database.ts';
import type { EventBus } from '../platform/event-bus.ts';

export interface WeightsDeps {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly bus: EventBus;
  /** Hosts that the operator lets the hub fetch from as they are, private ones too. */
  readonly fetchHosts: readonly string[];
}
