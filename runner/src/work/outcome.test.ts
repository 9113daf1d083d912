import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { failurePrefixOf, type Outcome } from '@trainyard/plugin-sdk';
import { NO_EVIDENCE, type Evidence, type ExitKind } from '../backends/backend.ts';
import { decideOutcome, type EndEvidence, type TerminalEvent } from './outcome.ts';

const envelope = { v: 1 as const, seq: 9, ts: '2026-01-01T00:00:00Z' };
const finished: TerminalEvent = { ...envelope, type: 'finished', metrics: { top1: 0.5 }, best: null, seconds: 1 };
const stopped: TerminalEvent = { ...envelope, type: 'stopped', reason: 'signal', checkpoint: 'c-000001' };
const failedAs = (code: string): TerminalEvent => ({ ...envelope, type: 'failed', code, message: 'No.' });

const TERMINALS: readonly (TerminalEvent | null)[] = [
  null,
  finished,
  stopped,
  failedAs('internal.exception'),
  failedAs('dataset.format'),
];
const EXITS: readonly ExitKind[] = [
  ...[0, 1, 64, 65, 66, 69, 70, 71, 73, 74, 75, 76, 77, 78, 137, 143].map((code) => ({
    kind: 'exited' as const,
    code,
  })),
  { kind: 'signal', signal: 'SIGKILL' },
  { kind: 'signal', signal: 'SIGSEGV' },
  { kind: 'vanished' },
];
const ASKED = [null, 'pause', 'cancel', 'drain'] as const;
const SEEN: readonly Partial<Evidence>[] = [
  {},
  { timedOut: true },
  { outOfMemory: true },
  { diskQuota: true },
  { silent: true },
  { tooManyProcesses: true },
  { killedByUs: true, stopAsked: true },
  { startFailed: 'no such file' },
];

function evidence(part: Partial<EndEvidence> & { kind: ExitKind; seen?: Partial<Evidence> }): EndEvidence {
  const { kind, seen, ...rest } = part;
  return {
    asked: null,
    terminal: null,
    terminals: rest.terminal == null ? 0 : 1,
    lastLines: '',
    exit: { ...kind, evidence: { ...NO_EVIDENCE, ...seen }, startedAt: null, endedAt: null },
    ...rest,
  };
}

describe('evidence → outcome', () => {
  test('invariants over the whole product', () => {
    let cases = 0;
    for (const kind of EXITS) {
      for (const terminal of TERMINALS) {
        for (const asked of ASKED) {
          for (const seen of SEEN) {
            for (const terminals of terminal === null ? [0] : [1, 2]) {
              cases += 1;
              const outcome = decideOutcome(evidence({ kind, terminal, terminals, asked, seen }));
              checkInvariants(outcome, { kind, terminal, terminals, asked, seen });
            }
          }
        }
      }
    }
    assert.equal(cases, EXITS.length * 9 * ASKED.length * SEEN.length);
  });

  function checkInvariants(
    outcome: Outcome,
    given: {
      kind: ExitKind;
      terminal: TerminalEvent | null;
      terminals: number;
      asked: EndEvidence['asked'];
      seen: Partial<Evidence>;
    },
  ): void {
    const { kind, terminal, terminals, asked, seen } = given;
    const text = JSON.stringify({ given, outcome });
    const zero = kind.kind === 'exited' && kind.code === 0;
    if (outcome.state === 'succeeded') {
      assert.ok(terminal?.type === 'finished' && terminals === 1, text);
      assert.ok(zero || kind.kind === 'vanished', text);
      assert.ok(seen.startFailed === undefined, text);
    }
    if (zero && terminal?.type === 'finished' && terminals === 1 && seen.startFailed === undefined)
      assert.equal(outcome.state, 'succeeded', text);
    if (outcome.state === 'failed') assert.ok(outcome.code !== undefined && outcome.message !== undefined, text);
    if (outcome.state === 'stopped') {
      assert.ok(outcome.cause !== undefined, text);
      if (asked === 'pause' || asked === 'cancel') assert.equal(outcome.cause, 'cancelled', text);
      if (asked === 'drain') assert.equal(outcome.cause, 'preempted', text);
      if (asked === null && seen.timedOut === true) assert.equal(outcome.cause, 'timed_out', text);
    }
    if (outcome.state === 'lost') {
      assert.ok(kind.kind === 'vanished' && terminal === null && asked === null, text);
    }
    // A failure code of the trainer never comes with an exit code that says something else.
    const prefix = outcome.code?.split('.')[0] ?? '';
    if (
      outcome.state === 'failed' &&
      kind.kind === 'exited' &&
      terminal?.type === 'failed' &&
      outcome.code === terminal.code
    )
      assert.equal(failurePrefixOf(kind.code), prefix, text);
    if (seen.startFailed !== undefined) assert.equal(outcome.code, 'platform.start_failed', text);
    if (terminals === 2 && zero && seen.startFailed === undefined)
      assert.equal(outcome.code, 'internal.protocol', text);
  }

  const table: readonly [string, Parameters<typeof evidence>[0], Partial<Outcome>][] = [
    [
      '75 + stopped, asked to pause',
      { kind: { kind: 'exited', code: 75 }, terminal: stopped, asked: 'pause' },
      { state: 'stopped', cause: 'cancelled' },
    ],
    [
      '75 at the time limit',
      { kind: { kind: 'exited', code: 75 }, terminal: stopped, seen: { timedOut: true } },
      { state: 'stopped', cause: 'timed_out', code: 'platform.timeout' },
    ],
    [
      '75, nobody asked',
      { kind: { kind: 'exited', code: 75 }, terminal: stopped },
      { state: 'stopped', cause: 'preempted' },
    ],
    [
      '75 without a word, nobody asked',
      { kind: { kind: 'exited', code: 75 } },
      { state: 'failed', code: 'internal.protocol' },
    ],
    [
      'killed after our grace',
      { kind: { kind: 'signal', signal: 'SIGKILL' }, asked: 'cancel', seen: { killedByUs: true } },
      { state: 'stopped', cause: 'cancelled', unclean: true },
    ],
    [
      'killed at the time limit',
      { kind: { kind: 'signal', signal: 'SIGKILL' }, seen: { timedOut: true, killedByUs: true } },
      { state: 'stopped', cause: 'timed_out', unclean: true },
    ],
    [
      'out of memory',
      { kind: { kind: 'signal', signal: 'SIGKILL' }, seen: { outOfMemory: true } },
      { state: 'failed', code: 'resource.ram_oom' },
    ],
    [
      'silent',
      { kind: { kind: 'exited', code: 75 }, terminal: stopped, seen: { silent: true } },
      { state: 'failed', code: 'platform.silent' },
    ],
    [
      'disk full',
      { kind: { kind: 'exited', code: 75 }, terminal: stopped, seen: { diskQuota: true } },
      { state: 'failed', code: 'platform.disk_quota' },
    ],
    [
      'a signal otherwise',
      { kind: { kind: 'signal', signal: 'SIGKILL' } },
      { state: 'failed', code: 'platform.killed' },
    ],
    [
      'a signal after the trainer said it had finished',
      { kind: { kind: 'signal', signal: 'SIGSEGV' }, terminal: finished },
      { state: 'failed', code: 'internal.protocol' },
    ],
    [
      'failed while it was stopping',
      { kind: { kind: 'exited', code: 74 }, terminal: failedAs('io.disk_full'), asked: 'pause' },
      { state: 'failed', code: 'io.disk_full' },
    ],
    [
      'finished although a stop was asked',
      { kind: { kind: 'exited', code: 0 }, terminal: finished, asked: 'pause' },
      { state: 'succeeded' },
    ],
    ['vanished', { kind: { kind: 'vanished' } }, { state: 'lost', code: 'platform.vanished' }],
    ['vanished, but the file tells', { kind: { kind: 'vanished' }, terminal: finished }, { state: 'succeeded' }],
    [
      'an exit code nobody knows',
      { kind: { kind: 'exited', code: 1 } },
      { state: 'failed', code: 'internal.exception' },
    ],
  ];
  for (const [name, given, expected] of table) {
    test(name, () => {
      const outcome = decideOutcome(evidence(given));
      assert.deepEqual({ ...outcome, ...expected }, outcome);
    });
  }

  test('a trainer may forbid the next attempt, never ask for one', () => {
    const event: TerminalEvent = { ...envelope, type: 'failed', code: 'io.read', message: 'No.', retryable: false };
    const kind = { kind: 'exited', code: 74 } as const;
    assert.equal(decideOutcome(evidence({ kind, terminal: event })).retryable, false);
    assert.equal(decideOutcome(evidence({ kind, terminal: { ...event, retryable: true } })).retryable, undefined);
  });
});
