import { canonicalJson, sha256, type Digest } from '../digest.ts';
import { resolveValues, type ResolvedValues, type ResolveInput } from './resolve.ts';

export interface ResolvedConfig extends ResolvedValues {
  /** sha256 of the canonical JSON of `config`. */
  readonly digest: Digest;
}

/** Resolution of contract.md §4.7 without step 4: validate the result with SchemaWorkerPool.validateConfig. Pure. */
export function resolveConfig(input: ResolveInput): ResolvedConfig {
  const resolved = resolveValues(input);
  return { ...resolved, digest: sha256(canonicalJson(resolved.config)) };
}
