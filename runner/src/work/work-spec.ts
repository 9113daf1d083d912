import { canonicalJson, executionName, sha256, type Limits, type Verb } from '@trainyard/plugin-sdk';
import type { WorkSpec } from '../backends/backend.ts';

/** The parts of trainer.yaml that starting needs. */
export interface StartableManifest {
  readonly entrypoint: readonly string[];
  readonly local?: { readonly env?: Readonly<Record<string, string>> | undefined } | undefined;
}

export type BuiltEnvironment = WorkSpec['environment'];

export interface StartOptions {
  readonly installation: string;
  readonly job: string;
  readonly attempt: number;
  readonly verb: Verb;
  readonly package: { readonly folder: string; readonly manifest: StartableManifest };
  readonly environment: BuiltEnvironment;
  readonly jobFolder: string;
  readonly device: { readonly kind: 'cpu' | 'cuda'; readonly uuids: readonly string[] };
  readonly limits: Limits;
  readonly grace: number;
  /** What the digest of the execution stands for; equal for every start of this attempt. */
  readonly frozen: unknown;
  readonly diskBytes?: number;
  readonly silenceSeconds?: number;
}

const DISK_BYTES = 50 * 1024 * 1024 * 1024;

/** Options → the data a backend starts from. Pure. */
export function buildWorkSpec(options: StartOptions): WorkSpec {
  const { limits, verb } = options;
  return {
    installation: options.installation,
    job: options.job,
    attempt: options.attempt,
    kind: verb === 'describe' || verb === 'validate' ? 'validate' : verb,
    specDigest: sha256(canonicalJson(options.frozen)),
    name: executionName(options.job, options.attempt),
    packageFolder: options.package.folder,
    environment: options.environment,
    entrypoint: options.package.manifest.entrypoint,
    verb,
    jobFolder: options.jobFolder,
    device: options.device,
    cpus: limits.cpus,
    limits: {
      memoryBytes: limits.memoryBytes,
      maxSeconds: limits.maxSeconds,
      diskBytes: options.diskBytes ?? DISK_BYTES,
      ...(options.silenceSeconds === undefined ? {} : { silenceSeconds: options.silenceSeconds }),
    },
    grace: options.grace,
    localEnv: options.package.manifest.local?.env ?? {},
  };
}
