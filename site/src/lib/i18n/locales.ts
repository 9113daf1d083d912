export const LOCALES = ['en', 'ko'] as const;
export type Locale = (typeof LOCALES)[number];

/** Each language in its own words, as the switch shows it to those who cannot read the page. */
export const LOCALE_NAMES: Readonly<Record<Locale, string>> = { en: 'English', ko: '한국어' };

export function isLocale(value: unknown): value is Locale {
  return LOCALES.some((locale) => locale === value);
}

/** The visitor's choice (cookie), else the best language the browser asks for (Accept-Language), else English. */
export function chooseLocale(cookie: string | undefined, acceptLanguage: string | null): Locale {
  if (isLocale(cookie)) return cookie;
  let chosen: Locale = 'en';
  let best = 0;
  for (const part of (acceptLanguage ?? '').split(',')) {
    const [range = '', ...parameters] = part.split(';').map((text) => text.trim());
    const locale = range.toLowerCase().split('-')[0];
    const weight = Number(parameters.find((text) => text.startsWith('q='))?.slice(2) ?? 1);
    if (isLocale(locale) && weight > best) {
      chosen = locale;
      best = weight;
    }
  }
  return chosen;
}
