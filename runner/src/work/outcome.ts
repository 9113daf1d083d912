import { defaultFailureCode, failurePrefixOf, type Outcome, type TrainerEvent } from '@trainyard/plugin-sdk';
import type { StopAsked } from '@trainyard/plugin-sdk/api';
import type { Exit } from '../backends/backend.ts';

export type TerminalEvent = Extract<TrainerEvent, { type: 'finished' | 'stopped' | 'failed' }>;

/** Everything known about an ended execution. */
export interface EndEvidence {
  /** What we asked the trainer to do; the strongest evidence. */
  readonly asked: StopAsked['what'] | null;
  readonly exit: Exit;
  /** Last terminal event. */
  readonly terminal: TerminalEvent | null;
  /** How many terminal events came; more than one breaks the protocol. */
  readonly terminals: number;
  /** Last lines of stderr, for people. */
  readonly lastLines: string;
}

type Cause = NonNullable<Outcome['cause']>;

/** Evidence → outcome (runner.md §6). Pure. Order: our request, what the backend saw, exit code, terminal event. */
export function decideOutcome(evidence: EndEvidence): Outcome {
  return withStorableTexts(decide(evidence));
}

/** Texts of a trainer may hold what no database stores: NUL and halves of characters. */
function withStorableTexts(outcome: Outcome): Outcome {
  const clean = (text: string): string => text.replaceAll('\u0000', '').toWellFormed();
  const { code, message, hint, detail } = outcome;
  return {
    ...outcome,
    ...(code === undefined ? {} : { code: clean(code) }),
    ...(message === undefined ? {} : { message: clean(message) }),
    ...(hint === undefined ? {} : { hint: clean(hint) }),
    ...(detail === undefined ? {} : { detail: clean(detail) }),
  };
}

function decide(evidence: EndEvidence): Outcome {
  const { exit } = evidence;
  const seen = exit.evidence;
  if (seen.startFailed !== undefined) {
    return failed('platform.start_failed', `The trainer could not be started: ${seen.startFailed}`, {
      hint: 'Check that the entrypoint of trainer.yaml names a program that exists here and is executable.',
    });
  }
  if (exit.kind === 'exited' && exit.code === 0) return outcomeOfZero(evidence);
  const asked = causeOf(evidence);
  if (asked !== null && endedByStop(evidence)) return stopped(asked, evidence);
  const limit = outcomeOfLimit(evidence);
  if (limit !== null) return limit;
  if (exit.kind === 'vanished') return outcomeOfVanished(evidence);
  if (exit.kind === 'signal') return outcomeOfSignal(evidence, exit.signal);
  return outcomeOfCode(evidence, exit.code);
}

function causeOf({ asked, exit }: EndEvidence): Cause | null {
  if (asked === 'cancel' || asked === 'pause') return 'cancelled';
  if (asked === 'drain') return 'preempted';
  return exit.evidence.timedOut ? 'timed_out' : null;
}

/** Did it end because it was told to? A failure that the trainer reports while it stops stays a failure. */
function endedByStop({ exit, terminal }: EndEvidence): boolean {
  if (exit.evidence.killedByUs || exit.kind === 'signal') return true;
  if (exit.kind === 'vanished') return terminal === null || terminal.type === 'stopped';
  if (exit.code > 128) return true;
  return exit.code === 75 && (terminal === null || terminal.type === 'stopped');
}

function stopped(cause: Cause, { exit, terminal }: EndEvidence): Outcome {
  const clean = exit.kind === 'exited' && exit.code === 75 && terminal?.type === 'stopped';
  return {
    state: 'stopped',
    cause,
    ...(cause === 'timed_out' ? { code: 'platform.timeout', message: 'The time limit of this run was reached.' } : {}),
    ...(clean ? {} : { unclean: true }),
    ...exitCode(exit),
  };
}

function outcomeOfLimit({ exit, lastLines }: EndEvidence): Outcome | null {
  const seen = exit.evidence;
  const rest = { ...exitCode(exit), ...detail(lastLines) };
  if (seen.outOfMemory) {
    return failed('resource.ram_oom', 'The trainer used more memory than it was granted.', {
      hint: 'Use a smaller batch, smaller images or fewer workers, or grant more memory.',
      ...rest,
    });
  }
  if (seen.diskQuota) {
    return failed('platform.disk_quota', 'The trainer wrote more to disk than it was granted.', {
      hint: 'Save fewer checkpoints or plots.',
      ...rest,
    });
  }
  if (seen.silent) {
    return failed('platform.silent', 'The trainer reported nothing for too long and was ended.', {
      hint: 'It may hang. Trainers must report progress or usage at least every 30 seconds.',
      ...rest,
    });
  }
  if (seen.tooManyProcesses) {
    return failed('platform.killed', 'The trainer started too many processes and was ended.', {
      hint: 'Use fewer workers.',
      ...rest,
    });
  }
  return null;
}

function outcomeOfZero({ exit, terminal, terminals }: EndEvidence): Outcome {
  if (terminal === null) return protocol(exit, 'The trainer ended with exit code 0 but without a `finished` event.');
  if (terminal.type !== 'finished')
    return protocol(exit, `The trainer said \`${terminal.type}\` but ended with exit code 0.`);
  if (terminals > 1) return protocol(exit, `The trainer reported its end ${terminals} times.`);
  const { metrics, best, seconds } = terminal;
  return { state: 'succeeded', exit: 0, result: { metrics, best: best ?? null, seconds } };
}

function outcomeOfCode(evidence: EndEvidence, code: number): Outcome {
  const { exit, terminal, terminals, lastLines } = evidence;
  if (terminals > 1) return protocol(exit, `The trainer reported its end ${terminals} times.`);
  if (code === 75) {
    if (terminal?.type === 'stopped') return { state: 'stopped', cause: 'preempted', exit: 75 };
    return protocol(exit, `The trainer ended with exit code 75 ${sayTerminal(terminal)}.`);
  }
  if (code > 128 && terminal === null) return killed(exit, `signal ${code - 128}`, lastLines);
  if (terminal === null) {
    return failed(defaultFailureCode(code), `The trainer ended with exit code ${code} and did not say why.`, {
      hint: 'The last lines of its log may tell.',
      exit: code,
      ...detail(lastLines),
    });
  }
  if (terminal.type !== 'failed' || !terminal.code.startsWith(`${failurePrefixOf(code)}.`))
    return protocol(exit, `The trainer ended with exit code ${code} ${sayTerminal(terminal)}.`);
  return { ...outcomeOfFailed(terminal), exit: code };
}

function outcomeOfFailed(event: Extract<TerminalEvent, { type: 'failed' }>): Outcome {
  return {
    state: 'failed',
    code: event.code,
    message: event.message.slice(0, 4096),
    ...(event.hint == null ? {} : { hint: event.hint.slice(0, 4096) }),
    ...(event.detail == null ? {} : { detail: event.detail }),
    ...(event.retryable === false ? { retryable: false } : {}),
  };
}

function outcomeOfSignal({ exit, terminal, lastLines }: EndEvidence, signal: string): Outcome {
  if (terminal !== null) return protocol(exit, `The trainer was killed by ${signal} ${sayTerminal(terminal)}.`);
  return killed(exit, signal, lastLines);
}

/** Nobody saw how it ended; a terminal event in the file may still tell. */
function outcomeOfVanished({ exit, terminal, terminals }: EndEvidence): Outcome {
  if (terminal !== null && terminals > 1) return protocol(exit, `The trainer reported its end ${terminals} times.`);
  if (terminal?.type === 'finished') {
    const { metrics, best, seconds } = terminal;
    return { state: 'succeeded', result: { metrics, best: best ?? null, seconds } };
  }
  if (terminal?.type === 'failed') return outcomeOfFailed(terminal);
  if (terminal?.type === 'stopped') return { state: 'stopped', cause: 'preempted' };
  return { state: 'lost', code: 'platform.vanished', message: 'The trainer is gone and left no word of how it ended.' };
}

function killed(exit: Exit, signal: string, lastLines: string): Outcome {
  return failed('platform.killed', `The trainer was killed from outside (${signal}).`, {
    hint: 'Something on the machine ended it: a person, the system when memory ran out, or a crash in native code.',
    ...exitCode(exit),
    ...detail(lastLines),
  });
}

function protocol(exit: Exit, message: string): Outcome {
  return failed('internal.protocol', message, {
    hint: 'The trainer breaks the contract here; tell its author. `trainyard validate` shows the same fault.',
    ...exitCode(exit),
  });
}

function sayTerminal(terminal: TerminalEvent | null): string {
  if (terminal === null) return 'without a terminal event';
  return terminal.type === 'failed'
    ? `although it said \`failed\` (${terminal.code})`
    : `although it said \`${terminal.type}\``;
}

function failed(code: string, message: string, more: Partial<Outcome>): Outcome {
  return { state: 'failed', code, message, ...more };
}

function exitCode(exit: Exit): { exit?: number } {
  return exit.kind === 'exited' ? { exit: exit.code } : {};
}

function detail(lastLines: string): { detail?: string } {
  return lastLines === '' ? {} : { detail: lastLines.slice(-16_384) };
}
