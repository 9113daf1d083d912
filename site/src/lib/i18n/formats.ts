import type { Locale } from './locales.ts';

/** How figures are written: metrics to four significant digits, bytes in IEC, durations as "2 m 14 s", times relative. */
export interface Formats {
  metric(value: number | null | undefined): string;
  count(value: number): string;
  /** Large counts shortened: 25.6M. */
  compact(value: number): string;
  percent(share: number): string;
  bytes(value: number): string;
  duration(seconds: number): string;
  /** For what takes less than a second, mostly: "240 ms", "<1 ms". */
  milliseconds(value: number): string;
  relative(time: string, now?: number): string;
  exact(time: string): string;
}

const NOTHING = '–';
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
// Shorter than what Intl writes in English; the space before the unit is part of it.
const DURATION_UNITS: Readonly<Record<Locale, { hour: string; minute: string; second: string; thousandth: string }>> = {
  en: { hour: ' h', minute: ' m', second: ' s', thousandth: ' ms' },
  ko: { hour: '시간', minute: '분', second: '초', thousandth: '밀리초' },
};
const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

export function formatsFor(locale: Locale): Formats {
  const four = new Intl.NumberFormat(locale, { maximumSignificantDigits: 4, minimumSignificantDigits: 1 });
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumSignificantDigits: 3 });
  const share = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const size = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  const ago = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const units = DURATION_UNITS[locale];
  const exact = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' });

  return {
    metric(value) {
      if (value === null || value === undefined || Number.isNaN(value)) return NOTHING;
      if (value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e7)) return value.toExponential(2);
      return four.format(value);
    },
    count: (value) => whole.format(value),
    compact: (value) => compact.format(value),
    percent: (value) => share.format(value),
    bytes(value) {
      let unit = 0;
      let rest = value;
      while (rest >= 1024 && unit < SIZES.length - 1) {
        rest /= 1024;
        unit++;
      }
      return `${size.format(rest)} ${SIZES[unit] ?? 'B'}`;
    },
    milliseconds(value) {
      if (value >= 1000) return this.duration(value / 1000);
      return `${value < 1 ? '<1' : Math.round(value)}${units.thousandth}`;
    },
    duration(seconds) {
      if (seconds < 1) return `${size.format(Math.max(0, seconds))}${units.second}`;
      const total = Math.round(seconds);
      const hours = Math.floor(total / 3600);
      const minutes = Math.floor((total % 3600) / 60);
      if (hours > 0) return `${hours}${units.hour} ${minutes}${units.minute}`;
      return minutes > 0 ? `${minutes}${units.minute} ${total % 60}${units.second}` : `${total}${units.second}`;
    },
    relative(time, now = Date.now()) {
      const exactly = (Date.parse(time) - now) / 1000;
      // Clocks differ by seconds; what just happened is not in the future.
      const seconds = exactly > 0 && exactly < 60 ? 0 : exactly;
      if (Number.isNaN(seconds)) return NOTHING;
      for (const [unit, length] of STEPS)
        if (Math.abs(seconds) >= length || unit === 'second') return ago.format(Math.round(seconds / length), unit);
      return NOTHING;
    },
    exact: (time) => (Number.isNaN(Date.parse(time)) ? NOTHING : `${exact.format(new Date(time))} UTC`),
  };
}
