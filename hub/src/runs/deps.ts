import type { SchemaWorkerPool } from '@trainyard/plugin-sdk/config/schema-worker';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { JobFollowers } from '../jobs/job.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { EventBus } from '../platform/event-bus.ts';

/** What the use-cases of runs need from outside. */
export interface RunDeps {
  readonly db: Database;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly schemas: SchemaWorkerPool;
  readonly followers: JobFollowers;
  readonly ticketSecret: string;
  /** Folder for archives while they are read. */
  readonly scratch: string;
}
