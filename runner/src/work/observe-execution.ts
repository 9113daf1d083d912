import { LineCutter } from '@trainyard/plugin-sdk';
import type { Backend, Exit, Handle, OutputStream } from '../backends/backend.ts';
import { EventSequence, type SequencedEvent } from './event-sequence.ts';
import type { TerminalEvent } from './outcome.ts';
import { TextTail } from './text-tail.ts';

/** Where the words of an execution go. `event` may take its time: reading waits. `output` must not. */
export interface ExecutionListener {
  event(event: SequencedEvent): Promise<void> | void;
  /** `position` counts from the first byte of the stream, over truncations of the file. */
  output(stream: 'stdout' | 'stderr', position: number, bytes: Uint8Array): void;
  /** All events were handed on; may throw `Rewind` like `event`. */
  end?(): Promise<void>;
}

export interface Observed {
  readonly exit: Exit;
  readonly terminal: TerminalEvent | null;
  readonly terminals: number;
  readonly notes: readonly string[];
  readonly stdoutTail: string;
  readonly stderrTail: string;
}

/** Thrown by a listener whose journal lacks earlier events: the file still has them, reading begins again. */
export class Rewind extends Error {
  readonly next: number;
  constructor(next: number) {
    super(`the journal wants event ${next}`);
    this.next = next;
  }
}

const TAIL_BYTES = 256 * 1024;

/**
 * Reads everything an execution says from the beginning to its end, and waits for the exit. `next` is the first event the journal lacks; earlier
 * ones are handed on as `known`. Throws the reason when the signal fires.
 */
export async function observeExecution(
  backend: Backend,
  handle: Handle,
  listener: ExecutionListener,
  options: { readonly next: number; readonly signal: AbortSignal },
): Promise<Observed> {
  const tails = { stdout: new TextTail(TAIL_BYTES), stderr: new TextTail(TAIL_BYTES) };
  const positions = { stdout: { base: 0, end: 0, generation: 0 }, stderr: { base: 0, end: 0, generation: 0 } };
  let next = options.next;
  for (;;) {
    const sequence = new EventSequence(next);
    try {
      await readAll(backend, handle, sequence, listener, tails, positions, options.signal);
      await listener.end?.();
      const exit = await raceAbort(backend.wait(handle), options.signal);
      return {
        exit,
        terminal: sequence.terminal,
        terminals: sequence.terminals,
        notes: sequence.notes(),
        stdoutTail: tails.stdout.lines(1000),
        stderrTail: tails.stderr.lines(50),
      };
    } catch (error) {
      if (!(error instanceof Rewind)) throw error;
      next = error.next;
    }
  }
}

type Position = { base: number; end: number; generation: number };

async function readAll(
  backend: Backend,
  handle: Handle,
  sequence: EventSequence,
  listener: ExecutionListener,
  tails: Readonly<Record<'stdout' | 'stderr', TextTail>>,
  positions: Readonly<Record<'stdout' | 'stderr', Position>>,
  signal: AbortSignal,
): Promise<void> {
  let cutter = new LineCutter();
  let generation: number | null = null;
  const accept = async (line: string): Promise<void> => {
    for (const event of sequence.accept(line)) await listener.event(event);
  };
  const stream = backend.follow(handle)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await raceAbort(stream.next(), signal);
      if (step.done === true) break;
      const output = step.value;
      if (output.stream === 'events') {
        if (generation !== null && generation !== output.generation) {
          sequence.note('The event file was cut off or replaced while it was read.');
          cutter = new LineCutter();
        }
        generation = output.generation;
        for (const line of cutter.push(output.bytes)) await accept(line);
      } else hearText(output.stream, output, listener, tails, positions);
    }
  } finally {
    // Not awaited: a follower that is asleep in a read ends by itself, and an abort must not wait for it.
    void stream.return?.(undefined);
  }
  const rest = cutter.rest();
  if (rest.trim() !== '') {
    if (rest.endsWith('}')) await accept(rest);
    else sequence.note('The event file ends in the middle of a line.');
  }
}

function hearText(
  name: Exclude<OutputStream, 'events'>,
  output: { readonly generation: number; readonly offset: number; readonly bytes: Uint8Array },
  listener: ExecutionListener,
  tails: Readonly<Record<'stdout' | 'stderr', TextTail>>,
  positions: Readonly<Record<'stdout' | 'stderr', Position>>,
): void {
  const position = positions[name];
  if (output.generation > position.generation) {
    position.base = position.end;
    position.generation = output.generation;
  }
  const start = position.base + output.offset;
  // After a rewind the same bytes come again.
  if (start + output.bytes.length <= position.end) return;
  const fresh = output.bytes.subarray(Math.max(0, position.end - start));
  listener.output(name, start + output.bytes.length - fresh.length, fresh);
  tails[name].push(fresh);
  position.end = start + output.bytes.length;
}

async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort);
    promise.catch(() => undefined);
  }
}
