import { RE2JS } from 're2js';

export const MAX_PATTERN = 256;

/** What is wrong with a regular expression under security.md §4.1, or null. A pattern that passes runs in linear time and means the same everywhere. */
export function patternProblem(pattern: string): string | null {
  if (pattern.length > MAX_PATTERN) return `is longer than ${MAX_PATTERN} characters`;
  // Escaped characters and classes cannot hold a construct.
  const bare = pattern.replace(/\\[^1-9k]/gu, '').replace(/\[[^\]]*\]/gu, '[]');
  if (/\(\?<?[=!]/u.test(bare)) return 'uses look-ahead or look-behind';
  if (/\\(?:[1-9]|k<)/u.test(bare)) return 'uses a back-reference';
  for (const [, low, high] of bare.matchAll(/\{(\d+)(?:,(\d*))?\}/gu)) {
    if (Math.max(Number(low), Number(high ?? 0)) > 1000) return 'repeats more than 1,000 times';
  }
  try {
    new RegExp(pattern, 'u');
  } catch {
    return 'is not a valid ECMAScript pattern';
  }
  try {
    RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch {
    return 'does not compile in the linear-time engine';
  }
  return null;
}

/** Runs a pattern that passed patternProblem; linear in the text. */
export function matchesPattern(pattern: string, text: string): boolean {
  return RE2JS.compile(RE2JS.translateRegExp(pattern)).matcher(text).find();
}
