import * as datasets from './datasets.ts';
import * as jobs from './jobs.ts';
import * as operations from './operations.ts';
import * as runs from './runs.ts';
import * as trainers from './trainers.ts';
import * as users from './users.ts';
import * as weights from './weights.ts';
import type { AnyRoute } from './route.ts';

export * from './route.ts';
export * from './shapes.ts';
export * from './users.ts';
export * from './trainers.ts';
export * from './datasets.ts';
export * from './runs.ts';
export * from './weights.ts';
export * from './jobs.ts';
export * from './operations.ts';

function isRoute(value: unknown): value is AnyRoute {
  return typeof value === 'object' && value !== null && 'method' in value && 'path' in value && 'access' in value;
}

/** Every operation of the hub, by id. Duplicate ids or method + path stop the start (see `allRoutes` in hub/src/platform/serve.ts). */
export const ROUTES: readonly AnyRoute[] = [users, trainers, datasets, runs, weights, jobs, operations].flatMap(
  (room) => Object.values(room).filter(isRoute),
);
