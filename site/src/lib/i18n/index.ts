import { getContext, setContext } from 'svelte';
import { en } from './en/index.ts';
import { formatsFor, type Formats } from './formats.ts';
import type { Locale } from './locales.ts';
import type { Messages } from './messages.ts';

export type { Messages };

interface Language {
  readonly locale: Locale;
  readonly texts: Messages;
  readonly formats: Formats;
}
const ENGLISH: Language = { locale: 'en', texts: en, formats: formatsFor('en') };
const KEY = Symbol('language');

/** Texts of one language; only the visitor's one travels to the browser besides English. */
export async function loadTexts(locale: Locale): Promise<Messages> {
  return locale === 'ko' ? (await import('./ko/index.ts')).ko : en;
}

/** Called once by the root layout. */
export function setLanguage(locale: Locale, texts: Messages): void {
  setContext<Language>(KEY, { locale, texts, formats: formatsFor(locale) });
}

function language(): Language {
  return getContext<Language | undefined>(KEY) ?? ENGLISH;
}

/** Texts of the visitor's language; call while a component is made. */
export function messages(): Messages {
  return language().texts;
}

/** Numbers, times and sizes of the visitor's language; call while a component is made. */
export function formats(): Formats {
  return language().formats;
}
