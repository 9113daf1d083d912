import { parseEventLine, TERMINAL_EVENTS, type AnyEvent } from '@trainyard/plugin-sdk';
import type { TerminalEvent } from './outcome.ts';

/** One line for the journal. It stands for the sequence numbers `seq` to `last` (more than one only for a `gap`). */
export interface SequencedEvent {
  readonly seq: number;
  readonly last: number;
  readonly line: string;
  readonly event: AnyEvent;
  /** The journal has it already. */
  readonly known: boolean;
}

export interface SequenceLimits {
  /** Beyond these, events that only describe progress are dropped and their numbers claimed by a `gap`. */
  readonly events: number;
  readonly bytes: number;
}
export const SEQUENCE_LIMITS: SequenceLimits = { events: 400_000, bytes: 128 * 1024 * 1024 };

const KEPT_IN_A_FLOOD = new Set<string>(['started', 'checkpoint', 'artifact', ...TERMINAL_EVENTS]);
const MOST_NOTES = 50;

function isTerminal(event: AnyEvent): event is TerminalEvent {
  return !('other' in event) && (event.type === 'finished' || event.type === 'stopped' || event.type === 'failed');
}

/**
 * Lines of a trainer → a sequence without holes from `next` on: what is known is marked, a jump becomes a `gap`, what is no event becomes a
 * note, a flood is thinned. Deterministic for equal lines, so a restarted runner sends the same again.
 */
export class EventSequence {
  #next: number;
  #events = 0;
  #bytes = 0;
  #bad = 0;
  #repeated = 0;
  #thinned = 0;
  #terminals = 0;
  #terminal: TerminalEvent | null = null;
  #highest = 0;
  readonly #notes: string[] = [];
  readonly #limits: SequenceLimits;

  /** `next` is the first number that the journal lacks. */
  constructor(next = 1, limits: SequenceLimits = SEQUENCE_LIMITS) {
    this.#next = next;
    this.#limits = limits;
  }

  get next(): number {
    return this.#next;
  }
  get terminal(): TerminalEvent | null {
    return this.#terminal;
  }
  get terminals(): number {
    return this.#terminals;
  }

  note(text: string): void {
    if (this.#notes.length < MOST_NOTES) this.#notes.push(text);
  }

  /** What was wrong with the lines, in sentences. */
  notes(): string[] {
    return [
      ...this.#notes,
      ...(this.#bad > 0 ? [`${this.#bad} lines of the event file were no events and were left out.`] : []),
      ...(this.#repeated > 0 ? [`${this.#repeated} events repeated an earlier number and were left out.`] : []),
      ...(this.#thinned > 0 ? [`${this.#thinned} events were left out because there were too many.`] : []),
    ];
  }

  accept(line: string): SequencedEvent[] {
    const parsed = parseEventLine(line);
    if (!parsed.ok) {
      this.#bad += 1;
      if (this.#bad <= 5) this.note(`Not an event (${parsed.reason}): ${parsed.line.slice(0, 120)}`);
      return [];
    }
    const { event } = parsed;
    if (event.type === 'gap') {
      this.#bad += 1;
      this.note('The trainer wrote a `gap` event, which only the runner may write.');
      return [];
    }
    // A repeated terminal event must not count twice after a restart of the numbers, so the highest number seen decides, not what was sent.
    if (event.seq <= this.#highest) {
      this.#repeated += 1;
      return [];
    }
    this.#highest = event.seq;
    if (isTerminal(event)) {
      this.#terminals += 1;
      this.#terminal = event;
    } else if (this.#terminal !== null)
      this.note(`Event ${event.seq} (${event.type}) came after the end was reported.`);
    this.#events += 1;
    this.#bytes += line.length;
    if (this.#isFlood() && !KEPT_IN_A_FLOOD.has(event.type)) {
      this.#thinned += 1;
      return [];
    }
    if (event.seq < this.#next) return [{ seq: event.seq, last: event.seq, line, event, known: true }];
    const out: SequencedEvent[] = [];
    if (event.seq > this.#next) {
      const [from, to] = [this.#next, event.seq - 1];
      const gap = { v: 1 as const, seq: from, ts: event.ts, type: 'gap' as const, from, to };
      out.push({ seq: from, last: to, line: JSON.stringify(gap), event: gap, known: false });
      if (!this.#isFlood()) this.note(`Events ${from} to ${to} are missing.`);
    }
    this.#next = event.seq + 1;
    out.push({ seq: event.seq, last: event.seq, line, event, known: false });
    return out;
  }

  #isFlood(): boolean {
    return this.#events > this.#limits.events || this.#bytes > this.#limits.bytes;
  }
}
