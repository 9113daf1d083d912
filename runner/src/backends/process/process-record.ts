import type { WorkLimits, WorkSpec } from '../backend.ts';

/** What a runner that comes later must know about an attempt, written before anything runs. */
export interface ProcessRecord {
  readonly version: 1;
  readonly installation: string;
  readonly name: string;
  readonly job: string;
  readonly attempt: number;
  readonly kind: string;
  readonly specDigest: string;
  readonly jobFolder: string;
  readonly grace: number;
  readonly limits: WorkLimits;
  readonly devices: readonly string[];
  /** Cores the trainer is bound to; empty: all of them. */
  readonly cores: readonly number[];
  /** The kernel's counter before the start. */
  readonly outOfMemoryKills: number;
  /** Behind a wall the trainer is not the process that the shim started. Absent: none. */
  readonly wall?: 'none' | 'userns';
}

export function parseProcessRecord(text: string): ProcessRecord | null {
  try {
    const value: unknown = JSON.parse(text);
    const known = typeof value === 'object' && value !== null && 'version' in value && value.version === 1;
    return known ? (value as ProcessRecord) : null; // only this class of files writes them, whole, into a folder of ours
  } catch {
    return null;
  }
}

export function recordOf(
  work: WorkSpec,
  cores: readonly number[],
  outOfMemoryKills: number,
  wall: 'none' | 'userns' = 'none',
): ProcessRecord {
  const { installation, name, job, attempt, kind, specDigest, jobFolder, grace, limits } = work;
  const devices = work.device.uuids;
  const what = { installation, name, job, attempt, kind, specDigest };
  return { version: 1, ...what, jobFolder, grace, limits, devices, cores, outOfMemoryKills, wall };
}

/** The same piece of work, as far as adoption is concerned. */
export function isSameWork(record: ProcessRecord, work: WorkSpec): boolean {
  return (
    record.installation === work.installation &&
    record.job === work.job &&
    record.attempt === work.attempt &&
    record.specDigest === work.specDigest
  );
}
