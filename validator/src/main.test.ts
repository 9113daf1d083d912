import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sha256, type Report } from '@trainyard/plugin-sdk';
import { packTrainer } from '@trainyard/plugin-sdk/package';
import { scaledTimings } from '@trainyard/runner';
import { SILENT_LOG } from '@trainyard/runner/agent';
import { FakeHub, type FakeAttempt } from '@trainyard/runner/testing';
import { startValidator } from './main.ts';
import { plainPackage } from './testing/plain-package.ts';
import { ValidatorBench } from './testing/validator-bench.ts';

const REFERENCE = fileURLToPath(new URL('../../plugin-sdk/reference-trainer', import.meta.url));

describe('a validator at a hub', () => {
  const hub = new FakeHub();
  const end = new AbortController();
  let home = '';
  let running: Promise<void> = Promise.resolve();

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'validator-agent-'));
    await hub.start();
    const config = {
      hubUrl: hub.url,
      token: 'agent-key',
      home,
      slots: 1,
      agentName: 'validator-test',
      timings: scaledTimings(0.05),
      silenceSeconds: 300,
    };
    running = startValidator(config, end.signal, SILENT_LOG);
  });
  after(async () => {
    end.abort('agent-ending');
    await running;
    await hub.stop();
    await rm(home, { recursive: true, force: true });
  });

  function enqueue(bytes: Buffer, name: string, version: string, digest: string = sha256(bytes)): FakeAttempt {
    const release = { id: 'release-1', name, version, packageDigest: digest, packageBytes: bytes.length };
    return hub.enqueue({
      spec: { kind: 'validate', release, policy: 'local' },
      inputs: new Map([[digest.replace('sha256:', ''), bytes]]),
    });
  }

  test('the reference trainer passes with L1, seen live, and the report is the same at home', async () => {
    const bytes = await packTrainer(REFERENCE);
    const attempt = enqueue(bytes, '@trainyard/reference', '1.0.0');
    const report = reportOf(await outcomeOf(attempt, 120));
    assert.deepEqual(report.findings, []);
    assert.equal(report.verdict, 'passed');
    assert.equal(report.level, 'L1');
    assert.equal(report.packageDigest, sha256(bytes));
    const live = attempt.phases.filter((phase) => 'stages' in phase && phase.phase === 'running');
    assert.ok(live.length > 5, `only ${live.length} reports while it ran`);
    assert.match(JSON.stringify(live), /"contract","state":"running"/);
    assert.deepEqual(await readdir(join(home, 'validator', 'validations')), []);

    const bench = await ValidatorBench.open();
    try {
      assert.deepEqual(withoutTimes(await bench.validate(bytes)), withoutTimes(report));
    } finally {
      await bench.close();
    }
  });

  test('other bytes than announced are rejected', async () => {
    const bytes = await plainPackage();
    const attempt = enqueue(bytes, '@acme/plain', '1.0.0', `sha256:${'0'.repeat(64)}`);
    const report = reportOf(await outcomeOf(attempt, 30));
    assert.equal(report.verdict, 'rejected');
    assert.deepEqual(
      report.findings.map((finding) => finding.check),
      ['digest-mismatch'],
    );
    assert.equal(report.stages.find((stage) => stage.stage === 'contract')?.state, 'skipped');
  });

  test('a package under another name than the release is rejected', async () => {
    const attempt = enqueue(await plainPackage(), '@acme/other', '1.0.0');
    const report = reportOf(await outcomeOf(attempt, 30));
    assert.equal(report.verdict, 'rejected');
    assert.ok(report.findings.some((finding) => finding.check === 'manifest-mismatch'));
  });

  test('a package that cannot be downloaded is a failure of ours, never a report', async () => {
    const bytes = await plainPackage();
    const known = enqueue(bytes, '@acme/plain', '1.0.0').work.spec;
    const attempt = hub.enqueue({ spec: known, inputs: new Map() });
    const outcome = await outcomeOf(attempt, 30);
    assert.equal(outcome.state, 'failed');
    assert.equal(outcome.result, undefined);
    assert.ok((outcome.message ?? '') !== '');
  });
});

async function outcomeOf(attempt: FakeAttempt, seconds: number): Promise<NonNullable<FakeAttempt['outcome']>> {
  const end = Date.now() + seconds * 1000;
  while (attempt.outcome === null) {
    assert.ok(Date.now() < end, `no outcome; last phase: ${JSON.stringify(attempt.phases.at(-1))}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return attempt.outcome;
}

function reportOf(outcome: NonNullable<FakeAttempt['outcome']>): Report {
  assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome));
  return outcome.result as Report;
}

function withoutTimes(report: Report): unknown {
  const zero = <T extends object>(items: readonly T[] = []) => items.map((item) => ({ ...item, seconds: 0 }));
  return { ...report, stages: zero(report.stages), tasks: zero(report.tasks) };
}
