import { Problem } from '@trainyard/plugin-sdk';
import type { ReleaseState } from '@trainyard/plugin-sdk/api';

/** Pure: the states of a release (architecture.md §12.1). A passed report is not enough: it is published once the registry holds the bytes. */
export type ReleaseEvent =
  | 'claimed'
  | 'registered'
  | 'rejected'
  | 'quarantined'
  | 'refuted'
  | 'deprecated'
  | 'undeprecated'
  | 'yanked'
  | 'validated-again';

const NEXT: Readonly<Record<ReleaseState, Partial<Record<ReleaseEvent, ReleaseState>>>> = {
  submitted: { claimed: 'validating', rejected: 'rejected', quarantined: 'quarantined' },
  validating: { claimed: 'validating', registered: 'published', rejected: 'rejected', quarantined: 'quarantined' },
  published: { deprecated: 'deprecated', yanked: 'yanked', refuted: 'quarantined' },
  deprecated: { undeprecated: 'published', yanked: 'yanked', refuted: 'quarantined' },
  yanked: {},
  rejected: {},
  quarantined: { 'validated-again': 'submitted', rejected: 'rejected' },
};

export function nextReleaseState(state: ReleaseState, event: ReleaseEvent): ReleaseState {
  const next = NEXT[state][event];
  if (next === undefined)
    throw new Problem('illegal-transition', { detail: `A release that is ${state} cannot be ${event}.` });
  return next;
}

/** Text that sorts like semver: numbers padded, a pre-release before its release. */
export function versionKey(version: string): string {
  const [core = '', ...rest] = version.split('-');
  const pre = rest.join('-');
  const numbers = core
    .split('.')
    .map((part) => part.padStart(10, '0'))
    .join('.');
  const tail =
    pre === ''
      ? '~'
      : pre
          .split('.')
          .map((part) => (/^\d+$/.test(part) ? `0${part.padStart(10, '0')}` : `1${part}`))
          .join('.');
  return `${numbers}-${tail}`;
}
