import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Report } from '@trainyard/plugin-sdk';
import { referenceWith, type Lie } from './testing/lying-package.ts';
import { ValidatorBench } from './testing/validator-bench.ts';
import { TRIAL_LIMITS } from './trial/trial-deps.ts';

const LIMITS = { ...TRIAL_LIMITS, grace: 3, train: 60 };
/** Too few to learn from; enough to see who lies. */
const PICTURES = { train: 60, val: 24 };

interface Caught {
  readonly check: string;
  readonly message: RegExp;
  readonly evidence: RegExp;
}

/** Lies of one group do not hide each other; together they are found by exactly these checks. */
const AT_ONCE: readonly (readonly [readonly Lie[], readonly Caught[]])[] = [
  [
    ['classes-sorted', 'calls-home', 'half-lines', 'resume-anew', 'setting-dropped'],
    [
      {
        check: 'class-order',
        message: /Class 0 is called "bolt"; dataset\.json says "washer"/,
        evidence: /"name":"bolt"/,
      },
      { check: 'no-network', message: /tried to reach telemetry\.example\.com/, evidence: /telemetry\.example\.com/ },
      { check: 'event-file', message: /is no event/, evidence: /^\{"v":1,"seq":\d+/ },
      {
        check: 'resume-continues',
        message: /A resume from step \d+ reported step \d+: it began anew/,
        evidence: /step/,
      },
      {
        check: 'config-effective',
        message: /"weight_decay" did not reach the training/,
        evidence: /"effective":0\.0001/,
      },
    ],
  ],
  [
    ['stop-ignored'],
    [{ check: 'stop-saves', message: /did not end within 3 seconds after SIGTERM/, evidence: /SIGTERM/ }],
  ],
];

const MEASURED: readonly (readonly [readonly Lie[], readonly Caught[]])[] = [
  [
    ['metric-invented', 'batch-ignored'],
    [
      {
        check: 'metric-honest',
        message: /evaluate reports top1 0\.9870; its predictions give/,
        evidence: /"top1": 0\.987/,
      },
      {
        check: 'config-behaves',
        message: /"batch" was halved to 4, but an epoch still has 3 steps/,
        evidence: /3 steps/,
      },
    ],
  ],
  // Without the Python checkers; with them it is export-parity that holds the file against the answers of the checkpoint.
  [
    ['onnx-swapped'],
    [
      {
        check: 'predict-export',
        message: /onnx fp32: \d+ of 16 pictures are answered differently/,
        evidence: /"class":/,
      },
    ],
  ],
];

describe('trainers that lie', () => {
  let bench: ValidatorBench;
  before(async () => {
    bench = await ValidatorBench.open();
  });
  after(() => bench.close());

  for (const [lies, caught] of AT_ONCE) {
    test(`before publishing: ${lies.join(', ')}`, async () => {
      const report = await bench.validate(await referenceWith(lies), { limits: LIMITS });
      assert.equal(report.verdict, 'rejected');
      assertCaught(report, caught);
    });
  }
  for (const [lies, caught] of MEASURED) {
    test(`when it is measured: ${lies.join(', ')}`, async () => {
      const report = await bench.validate(await referenceWith(lies), {
        limits: LIMITS,
        through: 'L3',
        pictures: PICTURES,
      });
      assertCaught(report, caught);
      assert.equal(report.verdict, 'rejected');
      assert.ok(report.claims?.some(({ claim }) => claim === 'export'));
    });
  }
});

function assertCaught(report: Report, caught: readonly Caught[]): void {
  const errors = report.findings.filter(({ severity }) => severity === 'error');
  const shown = JSON.stringify(errors, null, 1);
  assert.deepEqual(
    [...new Set(errors.map(({ check }) => check))].sort(),
    caught.map(({ check }) => check).sort(),
    shown,
  );
  for (const { check, message, evidence } of caught) {
    const found = errors.find((finding) => finding.check === check && message.test(finding.message));
    assert.ok(found !== undefined, `no ${check} finding says ${String(message)}: ${shown}`);
    assert.match(found.evidence ?? found.message, evidence);
    assert.notEqual(found.fix, '');
  }
}
