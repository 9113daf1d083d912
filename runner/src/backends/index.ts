import type { Backend, BackendName, BackendOptions } from './backend.ts';

export * from './backend.ts';

type Loader = (options: BackendOptions) => Promise<Backend>;

/** Loaded when first asked for: a backend may bring a heavy client library. */
const LOADERS: Readonly<Record<BackendName, Loader>> = {
  process: async (options) => (await import('./process/process-backend.ts')).createProcessBackend(options),
  fake: async (options) => (await import('./fake/fake-backend.ts')).createFakeBackend(options),
};

export function loadBackend(name: BackendName, options: BackendOptions): Promise<Backend> {
  return LOADERS[name](options);
}
