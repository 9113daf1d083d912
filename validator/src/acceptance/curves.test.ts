import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lossDifference, type Curve } from './curves.ts';

function curve(...losses: readonly (readonly [step: number, value: number])[]): Curve {
  const rest = { peakRate: null, lastStep: 0, lastEpoch: 0, stepsPerEpoch: null, validation: [] };
  return { ...rest, losses: losses.map(([step, value]) => ({ step, value })) };
}

test('a loss that was coalesced away is no difference', () => {
  assert.equal(lossDifference(curve([1, 3], [2, 2], [2, 2.5]), curve([1, 3], [2, 2.5])), 0);
});

test('the largest difference counts, relative to the loss', () => {
  assert.equal(lossDifference(curve([1, 2], [2, 4]), curve([1, 2], [2, 3])), 0.25);
});

test('without a step in common there is nothing to say', () => {
  assert.equal(lossDifference(curve([1, 2]), curve([2, 2])), null);
});
