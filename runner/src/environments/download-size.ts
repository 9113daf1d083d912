/** How far a download is; all in packed bytes. */
export interface Estimate {
  readonly bytes: number;
  readonly totalBytes?: number;
  readonly fraction?: number;
  readonly secondsLeft?: number;
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
/** Packed to unpacked, until the first packages tell better. */
const USUAL_RATIO = 0.45;
/** A guess before that would jump. */
const LEAST_SECONDS = 3;
const LEAST_FRACTION = 0.03;

/**
 * Counts what an installer says about sizes: `Downloading torch (846.8MiB)` when a package begins, `Downloaded torch` when it is there. What grows in
 * between is only seen unpacked.
 */
export class DownloadSize {
  readonly #sizes = new Map<string, number>();
  readonly #done = new Set<string>();
  readonly #now: () => number;
  #since: number | null = null;

  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
  }

  line(text: string): void {
    const begun = /^\s*Downloading (\S+) \(([\d.]+)([KMG]?i?B)\)/.exec(text);
    if (begun !== null) {
      this.#since ??= this.#now();
      this.#sizes.set(begun[1] ?? '', Number(begun[2]) * (UNITS[begun[3] ?? ''] ?? 1));
    }
    const ended = /^\s*Downloaded (\S+)/.exec(text);
    if (ended !== null) this.#done.add(ended[1] ?? '');
  }

  /** `unpacked`: finished packages on disk, 0 where they cannot be seen; `written`: all that was written, those under way included. */
  estimate(unpacked: number, written: number): Estimate {
    const total = sum([...this.#sizes.values()]);
    if (total === 0 || this.#since === null) return { bytes: Math.max(unpacked, written) };
    const done = sum([...this.#sizes].filter(([name]) => this.#done.has(name)).map(([, size]) => size));
    const ratio = done > 0 && unpacked > done ? done / unpacked : USUAL_RATIO;
    const growing = Math.max(0, written - Math.max(unpacked, done / ratio));
    const bytes = Math.min(total, done + Math.min(growing * ratio, (total - done) * 0.99));
    const fraction = bytes / total;
    const seconds = this.#now() - this.#since;
    const known = seconds >= LEAST_SECONDS && fraction >= LEAST_FRACTION && fraction < 1;
    const secondsLeft = known ? { secondsLeft: Math.round((seconds * (1 - fraction)) / fraction) } : {};
    return { bytes: Math.round(bytes), totalBytes: Math.round(total), fraction, ...secondsLeft };
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** `1.2 of 2.6 GB, about 4 min left` */
export function describe({ bytes, totalBytes, secondsLeft }: Estimate): string {
  const whole = totalBytes ?? bytes;
  const [unit, size] = whole >= 1e9 ? (['GB', 1e9] as const) : (['MB', 1e6] as const);
  const show = (value: number): string => (value / size).toFixed(unit === 'GB' ? 1 : 0);
  const amount = totalBytes === undefined ? `${show(bytes)} ${unit}` : `${show(bytes)} of ${show(totalBytes)} ${unit}`;
  if (secondsLeft === undefined) return amount;
  if (secondsLeft >= 60) return `${amount}, about ${Math.round(secondsLeft / 60)} min left`;
  // In steps of five: each second would be a new message.
  return `${amount}, about ${Math.max(5, Math.ceil(secondsLeft / 5) * 5)} s left`;
}
