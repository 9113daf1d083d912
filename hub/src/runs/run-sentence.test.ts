import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationWords } from './run-sentence.ts';

test('one of a unit is singular, wherever rounding leads to it', () => {
  const words = [0.2, 1.4, 1.6, 89, 90, 5399, 5400, 9000].map(durationWords);
  assert.deepEqual(words, [
    '1 second',
    '1 second',
    '2 seconds',
    '89 seconds',
    '2 minutes',
    '90 minutes',
    '2 hours',
    '3 hours',
  ]);
});
