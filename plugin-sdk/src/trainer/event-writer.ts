import { constants, closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

type Fields = Readonly<Record<string, unknown>>;
export type Split = 'train' | 'val' | 'test';

// Two splits may be written at once: 4 × 2 stays under the ten metric events a second that the contract allows.
const METRIC_GAP = 250;
const PROGRESS_GAP = 500;
const LARGEST = 65_536;
const METRIC_NAME = /^[a-z][a-z0-9_/.-]{0,127}$/;

interface WaitingMetric {
  step: number;
  epoch: number | undefined;
  values: Map<string, number>;
}

/**
 * Appends events to `output/events.jsonl`: `seq` from 1, one whole line per write. Metrics are written at most ten times a second and
 * progress twice; what waits is overwritten by newer values of the same name and is written by `tick`, by the next phase and by the end, so
 * the last value of a series always arrives and steps never fall. Calls are synchronous; one writer per process.
 */
export class EventWriter {
  readonly #file: number;
  #seq = 0;
  readonly #waiting = new Map<Split, WaitingMetric>();
  #metricAt = -Infinity;
  #progressAt = -Infinity;
  #waitingProgress: Fields | null = null;
  #highest = -Infinity;
  #ended = false;

  constructor(outputFolder: string) {
    mkdirSync(outputFolder, { recursive: true });
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;
    this.#file = openSync(join(outputFolder, 'events.jsonl'), flags, 0o644);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Any event but metric and progress. */
  emit(type: string, fields: Fields): void {
    if (type === 'phase') this.flush();
    this.#write(type, fields);
  }

  /** The last event; later calls write nothing. */
  end(type: 'finished' | 'stopped' | 'failed', fields: Fields): void {
    if (this.#ended) return;
    this.flush();
    this.#write(type, fields);
    this.#ended = true;
    closeSync(this.#file);
  }

  metric(split: Split, step: number, epoch: number | undefined, values: Readonly<Record<string, number>>): void {
    const held = this.#waiting.get(split);
    const entry: WaitingMetric = held ?? { step, epoch, values: new Map() };
    entry.step = step;
    entry.epoch = epoch;
    for (const [name, value] of Object.entries(values)) {
      if (!METRIC_NAME.test(name)) throw new TypeError(`"${name}" is not a metric name: use a-z, 0-9, _ / . -`);
      entry.values.set(name, value);
    }
    this.#waiting.set(split, entry);
    this.tick();
  }

  progress(
    unit: 'epoch' | 'step' | 'image' | 'file',
    current: number,
    total: number | null,
    etaSeconds: number | null,
  ): void {
    if (current < this.#highest) return;
    this.#highest = current;
    this.#waitingProgress = { unit, current, total, etaSeconds };
    this.tick();
  }

  /** Writes what has waited long enough. */
  tick(): void {
    const now = performance.now();
    if (this.#waiting.size > 0 && now - this.#metricAt >= METRIC_GAP) this.#flushMetrics();
    if (now - this.#progressAt >= PROGRESS_GAP) this.#flushProgress();
  }

  /** Writes what waits, at once. */
  flush(): void {
    this.#flushMetrics();
    this.#flushProgress();
  }

  #flushMetrics(): void {
    // Older steps first: steps never fall within an attempt.
    const entries = [...this.#waiting].sort(([, a], [, b]) => a.step - b.step);
    this.#waiting.clear();
    for (const [split, { step, epoch, values }] of entries) {
      const nonFinite = [...values].filter(([, value]) => !Number.isFinite(value)).map(([name]) => name);
      const shown = Object.fromEntries(
        [...values].map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
      );
      this.#write('metric', {
        step,
        ...(epoch === undefined ? {} : { epoch }),
        split,
        values: shown,
        ...(nonFinite.length === 0 ? {} : { nonFinite }),
      });
      this.#metricAt = performance.now();
    }
  }

  #flushProgress(): void {
    if (this.#waitingProgress === null) return;
    this.#write('progress', this.#waitingProgress);
    this.#waitingProgress = null;
    this.#progressAt = performance.now();
  }

  #write(type: string, fields: Fields): void {
    if (this.#ended) return;
    const seq = this.#seq + 1;
    const line = `${JSON.stringify({ v: 1, seq, ts: new Date().toISOString(), type, ...fields })}\n`;
    if (Buffer.byteLength(line) > LARGEST) {
      this.#write('warning', {
        code: 'event_too_large',
        message: `An event of type ${type} was larger than 64 KiB and was dropped.`,
      });
      return;
    }
    writeWhole(this.#file, Buffer.from(line));
    this.#seq = seq;
  }
}

function writeWhole(file: number, bytes: Buffer): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(file, bytes, done);
}
