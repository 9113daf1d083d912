import { Problem } from '@trainyard/plugin-sdk';
import type { AttemptHub } from '../agent/attempt-hub.ts';
import type { SequencedEvent } from './event-sequence.ts';
import { Rewind } from './observe-execution.ts';

export interface EventShipping {
  /** Milliseconds an event may wait for company. */
  readonly wait: number;
  readonly batchBytes: number;
  /** Bytes not yet acknowledged beyond which `push` waits; the event file keeps the rest. */
  readonly pendingBytes: number;
}
export const EVENT_SHIPPING: EventShipping = { wait: 500, batchBytes: 65_536, pendingBytes: 4 * 1024 * 1024 };
const MOST_LINES = 2000;

/**
 * Sends events in order, in batches, one request in flight. `push` waits when too much is unsent. What cannot be sent for good (superseded,
 * refused) is thrown by the next `push` or by `drain`. A journal that wants earlier events makes `push` or `drain` throw `Rewind`.
 */
export class EventShipper {
  readonly #hub: Pick<AttemptHub, 'events'>;
  readonly #rules: EventShipping;
  #pending: SequencedEvent[] = [];
  #pendingBytes = 0;
  #urgent = false;
  #sending = false;
  #failure: unknown = null;
  #wake: (() => void) | null = null;
  #changed: (() => void)[] = [];

  constructor(hub: Pick<AttemptHub, 'events'>, rules: EventShipping = EVENT_SHIPPING) {
    this.#hub = hub;
    this.#rules = rules;
  }

  async push(event: SequencedEvent): Promise<void> {
    this.#throwFailure();
    this.#pending.push(event);
    this.#pendingBytes += event.line.length;
    if (!this.#sending) void this.#send();
    if (this.#pendingBytes >= this.#rules.batchBytes) this.#wake?.();
    while (this.#pendingBytes > this.#rules.pendingBytes && this.#failure === null) await this.#change();
    this.#throwFailure();
  }

  /** Everything pushed so far is in the journal when it answers. */
  async drain(): Promise<void> {
    this.#urgent = true;
    this.#wake?.();
    while (this.#pending.length > 0 && this.#failure === null) await this.#change();
    this.#urgent = false;
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure === null) return;
    const failure = this.#failure;
    // After a rewind the same events come again from the file.
    if (failure instanceof Rewind) {
      this.#failure = null;
      this.#pending = [];
      this.#pendingBytes = 0;
    }
    throw failure;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  async #send(): Promise<void> {
    this.#sending = true;
    try {
      while (this.#pending.length > 0) {
        if (!this.#urgent && this.#pendingBytes < this.#rules.batchBytes) await this.#pause();
        const batch = this.#batch();
        const first = batch[0];
        if (first === undefined) return;
        const next = await this.#hub.events(
          first.seq,
          batch.map((event) => event.line),
        );
        const last = batch.at(-1)?.last ?? 0;
        if (next <= last) throw new Rewind(next);
        while ((this.#pending[0]?.last ?? Infinity) < next) {
          this.#pendingBytes -= this.#pending.shift()?.line.length ?? 0;
        }
        this.#tell();
      }
    } catch (error) {
      const next: unknown = error instanceof Problem && error.code === 'events-gap' ? error.info.extra?.['next'] : null;
      this.#failure = typeof next === 'number' ? new Rewind(next) : error;
    } finally {
      this.#sending = false;
      this.#tell();
    }
  }

  #batch(): SequencedEvent[] {
    let bytes = 0;
    const batch: SequencedEvent[] = [];
    for (const event of this.#pending) {
      if (batch.length > 0 && (bytes + event.line.length > this.#rules.batchBytes || batch.length >= MOST_LINES)) break;
      bytes += event.line.length;
      batch.push(event);
      // The hub counts lines from the first seq on; a gap stands for several numbers, so it ends its batch.
      if (event.last !== event.seq) break;
    }
    return batch;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(go, this.#rules.wait);
      this.#wake = go;
    });
  }

  #tell(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
