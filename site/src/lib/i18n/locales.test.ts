import assert from 'node:assert/strict';
import test from 'node:test';
import { chooseLocale } from './locales.ts';

test('the cookie decides, then the browser, then English', () => {
  assert.equal(chooseLocale('en', 'ko-KR,ko;q=0.9'), 'en');
  assert.equal(chooseLocale('ko', 'en-GB'), 'ko');
  assert.equal(chooseLocale(undefined, 'ko-KR,ko;q=0.9,en-US;q=0.8'), 'ko');
  assert.equal(chooseLocale(undefined, 'en;q=0.4, KO;q=0.7'), 'ko');
  assert.equal(chooseLocale(undefined, 'en-GB,en;q=0.9,ko;q=0.8'), 'en');
});

test('what nobody speaks here becomes English', () => {
  assert.equal(chooseLocale(undefined, null), 'en');
  assert.equal(chooseLocale(undefined, 'fr-FR, *;q=0.5'), 'en');
  assert.equal(chooseLocale('xx', 'de, ko;q=0'), 'en');
  assert.equal(chooseLocale('', ';;q=,,ko;q=abc'), 'en');
});
