import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '@trainyard/plugin-sdk';
import { RELEASE_STATES } from '@trainyard/plugin-sdk/api';
import { nextReleaseState, versionKey, type ReleaseEvent } from './release-state.ts';

const EVENTS: readonly ReleaseEvent[] = [
  'claimed',
  'registered',
  'rejected',
  'quarantined',
  'refuted',
  'deprecated',
  'undeprecated',
  'yanked',
  'validated-again',
];

test('the only way to published is a registered release that was validated, or an undone deprecation', () => {
  const ways: string[] = [];
  for (const state of RELEASE_STATES) {
    for (const event of EVENTS) {
      try {
        if (nextReleaseState(state, event) === 'published') ways.push(`${state} ${event}`);
      } catch (error) {
        assert.ok(error instanceof Problem && error.code === 'illegal-transition');
      }
    }
  }
  assert.deepEqual(ways, ['validating registered', 'deprecated undeprecated']);
});

test('versions sort as semver does', () => {
  const versions = [
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0',
    '1.2.0',
    '1.10.0',
    '2.0.0',
  ];
  assert.deepEqual(
    [...versions].sort((a, b) => (versionKey(a) < versionKey(b) ? -1 : 1)),
    versions,
  );
});
