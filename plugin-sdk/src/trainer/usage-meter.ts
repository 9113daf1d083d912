import type { EventWriter } from './event-writer.ts';

const GAP = 10_000;

/** Writes a `usage` event at the start, then every ten seconds: from a timer, and from safe points while a loop keeps the timer waiting. */
export class UsageMeter {
  readonly #writer: EventWriter;
  readonly #timer: NodeJS.Timeout;
  #at = -Infinity;
  #cpu = process.cpuUsage();
  #cpuAt = performance.now();
  /** Images per second, when known. */
  throughput: number | null = null;

  constructor(writer: EventWriter) {
    this.#writer = writer;
    this.#timer = setInterval(() => this.tick(), 1000);
    this.#timer.unref();
    this.tick();
  }

  tick(): void {
    const now = performance.now();
    this.#writer.tick();
    if (now - this.#at < GAP) return;
    const spent = process.cpuUsage(this.#cpu);
    const wall = Math.max(1, now - this.#cpuAt) * 1000;
    const cpuPercent = Math.round(((spent.user + spent.system) / wall) * 1000) / 10;
    this.#cpu = process.cpuUsage();
    this.#cpuAt = now;
    this.#at = now;
    const throughput = this.throughput === null ? {} : { throughput: { value: this.throughput, unit: 'images/s' } };
    this.#writer.emit('usage', { cpuPercent, rssBytes: process.memoryUsage.rss(), ...throughput });
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
