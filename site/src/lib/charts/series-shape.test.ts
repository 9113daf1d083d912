import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alignCurves, bestOf, groupCurves, thin, toCsv, type Curve } from './series-shape.ts';

const train: Curve = { name: 'loss', split: 'train', steps: [1, 2, 3], values: [3, 2, null] };
const val: Curve = { name: 'loss', split: 'val', steps: [2, 4], values: [2.5, 1.5] };
const top1: Curve = { name: 'top1', split: 'val', steps: [2, 4], values: [0.5, 0.9] };

test('the primary metric comes first and splits of one metric share a chart, val on top', () => {
  const groups = groupCurves([train, val, top1], 'top1');
  assert.deepEqual(
    groups.map((group) => [group.name, group.curves.map((curve) => curve.split)]),
    [
      ['top1', ['val']],
      ['loss', ['val', 'train']],
    ],
  );
});

test('curves with different steps share one x column; absent points stay apart from not-a-number points', () => {
  assert.deepEqual(alignCurves([train, val]), [
    [1, 2, 3, 4],
    [3, 2, null, undefined],
    [undefined, 2.5, undefined, 1.5],
  ]);
});

test('the best point follows the direction and skips holes', () => {
  assert.deepEqual(bestOf(train, 'min'), { step: 2, value: 2 });
  assert.deepEqual(bestOf(top1, 'max'), { step: 4, value: 0.9 });
  assert.equal(bestOf({ name: 'a', split: 'val', steps: [1], values: [null] }, 'max'), undefined);
});

test('thinning halves the points and keeps a peak', () => {
  const steps = Array.from({ length: 100 }, (_, index) => index);
  const values = steps.map((step) => (step === 51 ? 10 : 1));
  const kept = thin(steps, values);
  assert.equal(kept.steps.length, 50);
  assert.equal(Math.max(...kept.values.map((value) => value ?? 0)), 10);
  assert.ok(kept.steps.every((step, index) => index === 0 || step > (kept.steps[index - 1] ?? 0)));
});

test('CSV has one column per curve', () => {
  assert.equal(toCsv([val, top1]), 'step,val/loss,val/top1\n2,2.5,0.5\n4,1.5,0.9\n');
});
