import type { RunJobSpec } from '@trainyard/plugin-sdk';
import type { RunInput } from '@trainyard/plugin-sdk/api';
import type { ReleaseRow } from '../../trainers/find-release.ts';
import type { Complaints } from './complaints.ts';

/** Pure. */
export function checkDevice(release: ReleaseRow, input: RunInput, complaints: Complaints): RunJobSpec['device'] {
  const kind = input.device ?? 'cpu';
  if (!release.devices.includes(kind))
    complaints.add(
      'unsupported.device',
      `This trainer does not run on ${kind}.`,
      `It runs on: ${release.devices.join(', ')}.`,
      { pointer: '/device' },
    );
  return { kind, count: 1 };
}
