import type { Backend, BackendOptions } from '../backend.ts';

export async function createFakeBackend(_options: BackendOptions): Promise<Backend> {
  throw new Error('not yet');
}
