import { randomBytes } from 'node:crypto';

/** UUIDv7: opaque to callers, ordered by time of making. */
export function newId(now: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Name of everything outside that carries out one attempt: process folder, container, Kubernetes Job. */
export function executionName(job: string, attempt: number): string {
  return `ty-${job.toLowerCase()}-${attempt}`;
}
