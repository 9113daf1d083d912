import type { SchemaWorkerPool } from '@trainyard/plugin-sdk/config/schema-worker';
import type { Logger } from 'pino';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { JobFollowers } from '../jobs/job.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { EventBus } from '../platform/event-bus.ts';

/** What the use-cases of trainers need from outside. */
export interface TrainerDeps {
  readonly db: Database;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly schemas: SchemaWorkerPool;
  readonly followers: JobFollowers;
  readonly log: Logger;
  /** Loopback address of the npm registry and the secret only the hub has. */
  readonly registry: { readonly url: string; readonly secret: string };
  readonly publicUrl: string;
}
