import { sha256 } from '@trainyard/plugin-sdk';
import type { EnvironmentRequest } from './environment-request.ts';
import { readLockFile } from './lock-file.ts';
import type { Python } from './pythons.ts';
import { planSetup } from './setup-plan.ts';

/**
 * Name of the environment's folder. Locked wheels unpacked by our own installer depend on the lock, the Python and the platform alone: releases
 * with the same lock share one. A setup of the trainer's own may read anything of its package, so every package gets its own.
 */
export function environmentKey(request: EnvironmentRequest, lock: string | null, python: Python): string {
  const platform = `${process.platform}-${process.arch}`;
  const parts = isShared(request, lock)
    ? ['wheels', sha256(lock), python.version, platform]
    : [request.packageDigest, JSON.stringify(request.setup ?? null), sha256(lock ?? ''), ...[python.version, platform]];
  return sha256(parts.join('\n')).slice('sha256:'.length);
}

function isShared(request: EnvironmentRequest, lock: string | null): lock is string {
  return lock !== null && planSetup(request.setup).kind === 'wheels' && readLockFile(lock).isSelfContained;
}
