import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Report } from '@trainyard/plugin-sdk';
import { CONTRACT_CHECKS } from './checks/index.ts';
import { TRIAL_LIMITS } from './trial/trial-deps.ts';
import { plainPackage, type Flaw } from './testing/plain-package.ts';
import { ValidatorBench } from './testing/validator-bench.ts';

const LIMITS = { ...TRIAL_LIMITS, grace: 2 };

/** Every flaw, and what its finding says. Flaws of one group do not hide each other. */
const GROUPS: readonly (readonly [
  string,
  Readonly<Partial<Record<Flaw, readonly [string, RegExp]>>>,
  Partial<typeof LIMITS>?,
])[] = [
  [
    'many small flaws',
    {
      'describe-lies': ['describe-equal', /does not list the models counter/],
      'seq-gap': ['event-grammar', /seq 4 where 3 is expected/],
      'unknown-field': ['event-grammar', /the field "colour" is not known in "phase"/],
      'undeclared-metric': ['metrics-declared', /"iou" was reported but is not declared/],
      'forgets-loss': ['metrics-declared', /"loss" is declared but was not reported/],
      'no-progress': ['progress-seen', /no "progress" event/],
      'ignores-unknown-key': ['config-bad', /unknown setting "not_a_setting" and ended with exit code 0 instead of 78/],
      'trains-without-class': ['dataset-bad', /class "screw" .* exit code 0 instead of 65/],
      'unsupported-is-1': ['unsupported', /model "no-such-model-here" and ended with exit code 1 instead of 69/],
      'input-is-1': ['input-missing', /exit code 1 instead of 66/],
      'skips-images': ['evaluate-valid', /one line for each of the 8 pictures/],
      'output-link': ['output-safe', /"output\/plot\.png", which is a link/],
      'sorts-classes': ['class-order', /Class 0 is called "bolt"; dataset.json says "washer"/],
      'silent-about-val': ['class-order', /did not warn with class_missing_in_val/],
      'drops-setting': ['config-effective', /"batch" did not reach the training: 4 was asked for, 8 was used/],
      'predicts-less': ['predict-valid', /another picture is next|7 lines for 8 pictures/],
      'disk-full-is-70': ['disk-full', /end of the disk ended with exit code 70 instead of 74/],
      telephones: ['no-network', /tried to reach telemetry\.example\.com/],
      'resume-forgets': ['resume-continues', /reported step 3: it began anew|does not say "resumedFrom"/],
    },
  ],
  [
    'failures that contradict the exit code',
    {
      'failed-with-0': ['exit-agreement', /exit code 0 after the event "failed" \(internal\.exception\)/],
      'ignores-sigterm': ['stop-saves', /did not end within 2 seconds after SIGTERM/],
      'describe-chatters': ['describe-equal', /did not print one JSON object/],
      'config-unnamed': ['config-bad', /refused but did not name "not_a_setting"/],
    },
  ],
  [
    'silence at the end',
    {
      'silent-exit': ['event-grammar', /no terminal event .* exit code 0/],
      'stop-exits-143': ['stop-saves', /(exit code 143|the signal SIGTERM) instead of exit code 75/],
      'wrong-digest': ['checkpoint-index', /digest of checkpoints\/c-000001 is not the one in the index/],
    },
  ],
  [
    'events',
    {
      'half-lines': ['event-file', /line \d+ of events\.jsonl is no event/],
      'ignores-clock': ['wall-limit', /went on for \d+ seconds although its limit was shorter/],
    },
    { train: 20 },
  ],
  ['two ends', { 'two-ends': ['event-grammar', /2 terminal events/] }],
  [
    'a training that never ends',
    { 'never-ends': ['limit-exceeded', /"(train|long)" did not end within 3 seconds/] },
    { train: 3 },
  ],
  ['a flood', { floods: ['limit-exceeded', /wrote more than 8 MiB/] }, { diskBytes: 8 * 1024 ** 2 }],
  ['describe that hangs', { 'describe-hangs': ['describe-equal', /did not answer within 3 seconds/] }, { describe: 3 }],
];

describe('the stage contract', () => {
  let bench: ValidatorBench;
  before(async () => {
    bench = await ValidatorBench.open();
  });
  after(() => bench.close());

  test('a trainer without SDK that keeps the contract passes every check', async () => {
    const report = await bench.validate(await plainPackage(), { limits: LIMITS });
    assert.deepEqual(report.findings, []);
    assert.equal(report.verdict, 'passed');
    assert.equal(report.level, 'L1');
    const stage = stageOf(report);
    // Namespaces and mounts need root, or a machine that gives them to everybody; the report says so where it has neither.
    const notHere = ['no-network', 'disk-full'].filter((id) => stage.reason?.includes(`${id}:`) === true);
    const wanted = CONTRACT_CHECKS.map(({ check }) => check.id).filter((id) => !notHere.includes(id));
    assert.deepEqual([...stage.checks].sort(), wanted.sort());
    assert.deepEqual(
      report.tasks?.map(({ task, level }) => [task, level]),
      [['classify', 'L1']],
    );
    assert.equal(await bench.leftovers(), 0);
    assert.deepEqual(await readdir(join(bench.home, 'validations')), []);
  });

  for (const [name, flaws, limits] of GROUPS) {
    test(`${name}: ${Object.keys(flaws).join(', ')}`, async () => {
      const names = Object.keys(flaws) as Flaw[];
      const report = await bench.validate(await plainPackage(names), { limits: { ...LIMITS, ...limits } });
      assert.equal(report.verdict, 'rejected', JSON.stringify(report.stages));
      assert.equal(report.level, 'L0');
      assert.equal(stageOf(report).state, 'failed');
      for (const [flaw, [check, says]] of Object.entries(flaws)) {
        const found = report.findings.filter((finding) => finding.check === check);
        assert.ok(
          found.some((finding) => says.test(finding.message)),
          `${flaw}: no ${check} finding says ${String(says)} in ${JSON.stringify(report.findings, null, 1)}`,
        );
      }
      for (const finding of report.findings) {
        assert.notEqual(finding.fix, '');
        assert.ok(
          !JSON.stringify(finding).includes(bench.home),
          `a folder of this machine in ${JSON.stringify(finding)}`,
        );
      }
      assert.equal(await bench.leftovers(), 0);
    });
  }

  test('every check of the contract has a flaw that only it finds', () => {
    const covered = new Set(GROUPS.flatMap(([, flaws]) => Object.values(flaws).map(([check]) => check)));
    // Shown in checks/contract/slow-flaws.test.ts: they take half a minute, a machine without wall, or an image.
    const elsewhere = ['any-uid', 'confined-writes', 'heartbeat', 'memory-honest'];
    assert.deepEqual([...covered, ...elsewhere].sort(), CONTRACT_CHECKS.map(({ check }) => check.id).sort());
  });

  test('a task of which no model is listed by name is not proven, and not passed', async () => {
    const manifest = { models: [{ pattern: 'counter*', tasks: ['classify'], source: 'describe' }] };
    const report = await bench.validate(await plainPackage([], { manifest }), { limits: LIMITS });
    const stage = stageOf(report);
    assert.ok(
      stage.state === 'skipped' || report.findings.some(({ check }) => check === 'probe-per-task'),
      JSON.stringify(report),
    );
    assert.notEqual(report.verdict, 'passed');
    assert.ok(report.level === 'L0' || report.level === 'none');
  });

  test('an environment that cannot be built is not a pass, and says why', async () => {
    const report = await bench.validate(await plainPackage(), {
      limits: LIMITS,
      environment: () => Promise.reject(new Error('No Python fits. Install one.')),
    });
    assert.equal(stageOf(report).state, 'error');
    assert.equal(stageOf(report).reason, 'No Python fits. Install one.');
    assert.equal(report.verdict, 'inconclusive');
  });

  test('an entrypoint that does not exist', async () => {
    const manifest = { entrypoint: ['no-such-program'] };
    const report = await bench.validate(await plainPackage([], { manifest }), { limits: LIMITS });
    assert.equal(report.verdict, 'rejected');
    assert.match(report.findings[0]?.message ?? '', /could not be started/);
    assert.match(report.findings[0]?.evidence ?? '', /no-such-program/);
  });

  test('the signal ends it and leaves nothing', async () => {
    const end = new AbortController();
    const running = bench.validate(await plainPackage(['never-ends']), {
      limits: LIMITS,
      signal: end.signal,
      onProgress: ({ sentence }) => {
        if (sentence.startsWith('Tried')) end.abort(new Error('enough'));
      },
    });
    await assert.rejects(running, /enough/);
    assert.equal(await bench.leftovers(), 0);
    assert.deepEqual(await readdir(join(bench.home, 'validations')), []);
  });
});

function stageOf(report: Report): Report['stages'][number] {
  const stage = report.stages.find((item) => item.stage === 'contract');
  assert.ok(stage);
  return stage;
}
