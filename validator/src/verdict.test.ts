import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  STAGES,
  type Finding,
  type Level,
  type Stage,
  type StageResult,
  type StageState,
  type TaskProof,
} from '@trainyard/plugin-sdk';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PACKAGE_CHECKS } from '@trainyard/plugin-sdk/package';
import { CHECKS } from './checks/index.ts';
import { checksDocument } from './checks/checks-document.ts';
import { packageStages } from './package-stages.ts';
import { policyOf } from './policy.ts';
import { levelOf, verdictOf } from './verdict.ts';

const LOCAL = policyOf('local');
const STANDARD = policyOf('standard');
const LATER: readonly Stage[] = ['provenance', 'image', 'scan', 'acceptance', 'export'];

function stages(changes: Partial<Record<Stage, StageState>> = {}, without: readonly string[] = []): StageResult[] {
  return STAGES.map((stage) => {
    const state = changes[stage] ?? (LATER.includes(stage) ? 'skipped' : 'passed');
    const ran = state === 'passed' || state === 'failed';
    const ids = CHECKS.filter((check) => check.stage === stage).map((check) => check.id);
    return { stage, state, seconds: 1, checks: ran ? ids.filter((id) => !without.includes(id)) : [] };
  });
}

function error(check: string, severity: Finding['severity'] = 'error'): Finding {
  return { check, severity, message: 'Something is wrong.', fix: 'Mend it.' };
}

describe('the verdict', () => {
  const judge = (findings: Finding[], results = stages(), policy = LOCAL, hasImage = false): string =>
    verdictOf({ findings, stages: results, hasImage }, policy);

  test('without findings, all that is required ran: passed', () => {
    assert.equal(judge([]), 'passed');
  });

  for (const check of CHECKS) {
    test(`an error of ${check.id}: ${check.act === 'none' ? 'passed' : check.act}`, () => {
      assert.equal(judge([error(check.id)]), check.enforced ? check.act : 'passed');
      assert.equal(judge([error(check.id, 'warning')]), 'passed');
      assert.equal(judge([error(check.id, 'recommendation')]), 'passed');
    });
    test(`${check.id} did not run: ${check.required ? 'inconclusive' : 'shown only'}`, () => {
      assert.equal(judge([], stages({}, [check.id])), check.required ? 'inconclusive' : 'passed');
    });
  }

  test('the worst decides: rejected > quarantined > inconclusive > passed', () => {
    const gone = stages({ contract: 'error' });
    assert.equal(judge([], gone), 'inconclusive');
    assert.equal(judge([error('package-secret')], gone), 'quarantined');
    assert.equal(judge([error('package-secret'), error('event-grammar')], gone), 'rejected');
    assert.equal(judge([error('event-grammar'), error('package-secret')], gone), 'rejected');
  });

  for (const state of ['skipped', 'error', 'waiting', 'running'] as const) {
    for (const stage of ['package', 'manifest', 'config', 'contract'] as const) {
      test(`the stage ${stage} is ${state}: never passed`, () => {
        assert.equal(judge([], stages({ [stage]: state })), 'inconclusive');
      });
    }
  }

  test('an error that the table does not know is no pass', () => {
    assert.equal(judge([error('no-such-check')]), 'inconclusive');
  });

  test('local waives what this installation lacks, but not for a release with an image; standard waives nothing of it', () => {
    assert.equal(judge([], stages(), LOCAL, true), 'inconclusive');
    assert.equal(judge([], stages(), STANDARD), 'inconclusive');
    const all = stages({ image: 'passed', scan: 'passed', acceptance: 'passed', export: 'passed' });
    assert.equal(judge([], all, STANDARD), 'passed');
    assert.equal(judge([], all, policyOf('no-such-policy')), 'inconclusive');
  });

  test('level: L0 by package, manifest and config; L1 by the contract on top', () => {
    assert.equal(levelOf(stages()), 'L1');
    assert.equal(levelOf(stages({ contract: 'failed' })), 'L0');
    assert.equal(levelOf(stages({ contract: 'skipped' })), 'L0');
    assert.equal(levelOf(stages({ config: 'failed' })), 'none');
    assert.equal(levelOf(stages({ package: 'skipped' })), 'none');
  });

  test('level: above L1 the lowest of the tasks, and never more than the contract allows', () => {
    const task = (level: Level): TaskProof => ({ task: 'classify', model: 'probe', level, seconds: 1 });
    assert.equal(levelOf(stages(), [task('L3'), task('L2')]), 'L2');
    assert.equal(levelOf(stages(), [task('L3')]), 'L3');
    assert.equal(levelOf(stages(), [task('L1'), task('L3')]), 'L1');
    assert.equal(levelOf(stages({ contract: 'failed' }), [task('L3')]), 'L0');
  });
});

describe('the table of checks', () => {
  test('ids are unique, every row says what it looks at and how to mend it, every file exists', () => {
    assert.equal(new Set(CHECKS.map(({ id }) => id)).size, CHECKS.length);
    for (const check of CHECKS) {
      assert.ok(check.looks !== '' && check.fix !== '', check.id);
      assert.ok(existsSync(fileURLToPath(new URL(`../../${check.file}`, import.meta.url))), check.file);
      assert.equal(check.enforced, check.act !== 'none', check.id);
    }
  });

  test('it has every check of the reading of packages, in the same stage', () => {
    for (const stage of ['package', 'manifest', 'config'] as const) {
      const own = CHECKS.filter((check) => check.stage === stage).map(({ id }) => id);
      assert.deepEqual(own.filter((id) => id !== 'digest-mismatch').sort(), [...PACKAGE_CHECKS[stage]].sort());
    }
  });
});

describe('docs/checks.md', () => {
  test('names every check once, and no cell breaks the table', () => {
    const lines = checksDocument()
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    assert.deepEqual(
      lines.map((line) => /`([^`]+)`/.exec(line)?.[1]),
      CHECKS.map(({ id }) => id),
    );
    for (const line of lines) assert.equal(line.split('|').length, 6, line);
  });
});

describe('findings of one reading as stages', () => {
  const states = (findings: Finding[], whole: boolean): unknown =>
    packageStages(findings, whole, 1).map(({ stage, state }) => [stage, state]);

  test('an unreadable archive leaves the rest unseen', () => {
    assert.deepEqual(states([error('archive-malformed')], false), [
      ['package', 'failed'],
      ['manifest', 'skipped'],
      ['config', 'skipped'],
    ]);
  });

  test('a whole reading judges all three; a warning fails nothing', () => {
    assert.deepEqual(states([error('schema-ref'), error('changelog-entry', 'warning')], true), [
      ['package', 'passed'],
      ['manifest', 'passed'],
      ['config', 'failed'],
    ]);
  });

  test('checks that could not be reached did not run', () => {
    const [, manifest] = packageStages([error('archive-layout'), error('manifest-invalid')], false, 1);
    assert.deepEqual(manifest?.checks, ['manifest-invalid']);
    assert.equal(manifest?.state, 'failed');
  });
});
