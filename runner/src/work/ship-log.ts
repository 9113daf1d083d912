import { Problem } from '@trainyard/plugin-sdk';
import type { AttemptHub } from '../agent/attempt-hub.ts';
import type { LogStream } from '../agent/hub-port.ts';
import { TextTail } from './text-tail.ts';

export interface LogLimits {
  /** Bytes kept from the beginning, sent while the trainer runs. */
  readonly head: number;
  /** Bytes kept from the end, sent after it. */
  readonly tail: number;
  readonly wait: number;
  readonly batchBytes: number;
}
export const LOG_LIMITS: LogLimits = { head: 4 * 1024 * 1024, tail: 512 * 1024, wait: 700, batchBytes: 512 * 1024 };

/**
 * One stream of plain output to the hub. What is sent is a pure function of the whole stream: head, then, when something was left out, one line
 * saying how much, and the tail. So a restarted runner goes on at any acknowledged offset. `push` never waits; memory is bounded by head + tail.
 */
export class LogShipper {
  readonly #hub: Pick<AttemptHub, 'log'>;
  readonly #stream: LogStream;
  readonly #limits: LogLimits;
  readonly #tail: TextTail;
  /** Head bytes not yet acknowledged; the first one has offset `#acked`. */
  #head: Buffer[] = [];
  #acked: number;
  #seen = 0;
  #loop: Promise<void> | null = null;
  #failure: unknown = null;
  #wake: (() => void) | null = null;
  #urgent = false;

  /** `acked`: bytes the hub has already. */
  constructor(hub: Pick<AttemptHub, 'log'>, stream: LogStream, acked: number, limits: LogLimits = LOG_LIMITS) {
    this.#hub = hub;
    this.#stream = stream;
    this.#acked = acked;
    this.#limits = limits;
    this.#tail = new TextTail(limits.tail);
  }

  get droppedBytes(): number {
    return Math.max(0, this.#seen - this.#limits.head - this.#limits.tail);
  }

  push(position: number, bytes: Uint8Array): void {
    this.#seen = position + bytes.length;
    const { head } = this.#limits;
    if (position + bytes.length > head) this.#tail.push(bytes.subarray(Math.max(0, head - position)));
    const wanted = bytes.subarray(Math.max(0, this.#acked - position), Math.max(0, head - position));
    if (wanted.length === 0 || position >= head) return;
    this.#head.push(Buffer.from(wanted));
    this.#loop ??= this.#send();
  }

  /** Sends what is left, then the tail. Call once, after the last `push`. */
  async finish(): Promise<void> {
    this.#urgent = true;
    this.#wake?.();
    await this.#loop;
    if (this.#failure !== null) throw this.#failure;
    if (this.#seen <= this.#limits.head) return;
    const dropped = this.droppedBytes;
    const mark = dropped === 0 ? '' : `\n[${dropped} bytes were left out here: the log was too long]\n`;
    const end = Buffer.concat([Buffer.from(mark), this.#tail.bytes]);
    await this.#sendAll(this.#limits.head, end);
  }

  async #send(): Promise<void> {
    try {
      while (this.#head.length > 0) {
        if (!this.#urgent) await this.#pause();
        const bytes = Buffer.concat(this.#head);
        this.#head = [];
        await this.#sendAll(this.#acked, bytes);
      }
    } catch (error) {
      this.#failure = error;
    } finally {
      this.#loop = null;
    }
  }

  /** `bytes` begin at `start` of what is sent; parts that the hub has are skipped. */
  async #sendAll(start: number, bytes: Buffer): Promise<void> {
    while (this.#acked < start + bytes.length) {
      const from = Math.max(0, this.#acked - start);
      const part = bytes.subarray(from, from + this.#limits.batchBytes);
      try {
        this.#acked = await this.#hub.log(this.#stream, start + from, part);
      } catch (error) {
        const acked: unknown =
          error instanceof Problem && error.code === 'log-gap' ? error.info.extra?.['acked'] : null;
        if (typeof acked !== 'number' || acked < start || acked >= start + from) throw error;
        this.#acked = acked;
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(go, this.#limits.wait);
      this.#wake = go;
    });
  }
}
