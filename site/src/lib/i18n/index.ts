import { getContext, setContext } from 'svelte';
import { en } from './en/index.ts';
import { formatsFor, type Formats } from './formats.ts';

/** Every language has the shape of English; a missing text is a compile error. */
export type Messages = typeof en;
export const LOCALES = ['en'] as const;
export type Locale = (typeof LOCALES)[number];
const CATALOGUES: Readonly<Record<Locale, Messages>> = { en };
const FORMATS: Readonly<Record<Locale, Formats>> = { en: formatsFor('en') };
const KEY = Symbol('locale');

/** Called once by the root layout. */
export function setLocale(locale: Locale): void {
  setContext(KEY, locale);
}

function currentLocale(): Locale {
  return getContext<Locale | undefined>(KEY) ?? 'en';
}

/** Texts of the visitor's language; call while a component is made. */
export function messages(): Messages {
  return CATALOGUES[currentLocale()];
}

/** Numbers, times and sizes of the visitor's language; call while a component is made. */
export function formats(): Formats {
  return FORMATS[currentLocale()];
}
