import assert from 'node:assert/strict';
import test from 'node:test';
import { PROBLEMS } from '@trainyard/plugin-sdk';
import { en } from './en/index.ts';
import { formatsFor } from './formats.ts';
import { ko } from './ko/index.ts';

/** What reads the same in both languages: names, units, figures' patterns. */
const NAMES = new Set([
  'shell.product',
  'shell.titled',
  'shell.api',
  'author.reportTitle',
  'catalog.searchPlaceholder',
  'lab.inputSize',
  'lab.devices.cuda',
  'lab.metricNames.map50_95',
  'lab.metricNames.map50',
  'lab.metricNames.f1',
  'lab.metricNames.ap50',
  'lab.metricNames.ap50_95',
  'lab.metricNames.iou',
  'data.formatTitles.coco@1',
]);

/** Arguments whose trace is found again in a text; several sets where the text depends on what it gets. */
const ARGUMENTS: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  'settings.greyed': [[['AAA']], [['AAA', 'BBB']]],
  'settings.complaint': [
    ['number', 3, 9],
    ['whole', 3, 9],
    ['low', 3, 9],
    ['high', 3, 9],
    ['json', 3, 9],
  ],
  'data.classList': [[['AAA', 'BBB']], [Array.from({ length: 15 }, (_, at) => `N${at}N`)]],
  'catalog.claimDifference': [
    ['AAA', null],
    ['AAA', 'BBB'],
  ],
  'data.automatic': [[''], ['AAA']],
  'lab.predictedPicture': [
    ['AAA', 0],
    ['AAA', 7],
  ],
  'lab.tryTook': [
    ['AAA', 700],
    ['AAA', 7000],
  ],
};
const COUNTS = [0, 1, 7, 1234].map((count) => Array.from({ length: 4 }, () => count));
const WORDS = [['AAA', 'BBB', 'CCC', 'DDD']];
const MARKUP = /<[^>]+>|\{[^}]*\}|https?:\S+/g;

type Leaf = readonly [path: string, value: unknown];

function leaves(value: unknown, path = ''): Leaf[] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, path === '' ? key : `${path}.${key}`));
}

function written(leaf: unknown, given: readonly unknown[]): string {
  if (typeof leaf === 'string') return leaf;
  if (typeof leaf !== 'function') return '';
  const text: unknown = Reflect.apply(leaf, undefined, given);
  return typeof text === 'string' ? text : '';
}

function argumentSets(path: string, leaf: unknown): readonly (readonly unknown[])[] {
  return typeof leaf === 'function' ? (ARGUMENTS[path] ?? [...WORDS, ...COUNTS]) : [[]];
}

/** Which of the arguments a text shows; keywords that choose a text and counts that a plural may leave out aside. */
function shown(text: string, given: readonly unknown[]): string[] {
  const plain = text.replaceAll(/(?<=\d),(?=\d{3})/g, '');
  return given
    .flat()
    .map(String)
    .filter((item) => /^[A-Z0-9]{3,}$|^[2-9]$/.test(item) && plain.includes(item));
}

const english = leaves(en);
const korean = new Map(leaves(ko).filter(([path]) => !path.startsWith('problems.hubTitles.')));

test('every English text has a Korean one and none is left over', () => {
  assert.deepEqual([...korean.keys()].sort(), english.map(([path]) => path).sort());
});

test('no Korean text is the English one, except names', () => {
  const same: string[] = [];
  for (const [path, leaf] of english)
    for (const given of argumentSets(path, leaf)) {
      const text = written(korean.get(path), given);
      assert.notEqual(text, '', `${path} says nothing`);
      const onlyArguments = shown(text, given).join('') === text.replaceAll(/[\s,]/g, '');
      if (text === written(leaf, given) && !onlyArguments) same.push(path);
    }
  assert.deepEqual([...new Set(same)].sort(), [...NAMES].sort());
});

test('Korean texts show the same arguments and keep markup and commands', () => {
  for (const [path, leaf] of english)
    for (const given of argumentSets(path, leaf)) {
      const before = written(leaf, given);
      const after = written(korean.get(path), given);
      assert.deepEqual(shown(after, given).sort(), shown(before, given).sort(), `${path}: ${before} / ${after}`);
      assert.deepEqual(after.match(MARKUP) ?? [], before.match(MARKUP) ?? [], path);
      for (const command of before.match(/npm start|trainyard \w+|Retry-After|PUBLIC_URL|trainer\.yaml/g) ?? [])
        assert.ok(after.includes(command), `${path} keeps ${command}`);
    }
});

test('Korean sentences are polite and names take no particle that depends on their sound', () => {
  for (const [path, leaf] of korean)
    for (const given of argumentSets(path, leaf)) {
      const text = written(leaf, given);
      assert.doesNotMatch(text, /[가-힣](해요|하세요|어요|아요|네요)[.?]?|!/, path);
      assert.doesNotMatch(text, /(AAA|BBB|CCC|DDD)’?(은|는|이|가|을|를|와|과|으로|로)(?![가-힣])/, path);
    }
});

test('every title of a problem that the hub sends has Korean words, and only those', () => {
  const titles: string[] = Object.values(PROBLEMS).map(([, title]) => title);
  assert.deepEqual(Object.keys(ko.problems.hubTitles).sort(), titles.sort());
});

test('figures, sizes, durations and times of Korean', () => {
  const f = formatsFor('ko');
  assert.equal(f.count(12_345), '12,345');
  assert.equal(f.compact(25_600_000), '2560만');
  assert.equal(f.percent(0.5), '50%');
  assert.equal(f.bytes(1536), '1.5 KiB');
  assert.equal(f.duration(134), '2분 14초');
  assert.equal(f.duration(3780), '1시간 3분');
  const now = Date.parse('2026-05-04T10:00:00Z');
  assert.equal(f.relative('2026-05-04T09:55:00Z', now), '5분 전');
  assert.match(f.exact('2026-05-04T10:00:00Z'), /2026\. 5\. 4\./);
  assert.equal(formatsFor('en').duration(134), '2 m 14 s');
  assert.deepEqual(
    [0.2, 1.4, 1500].map((value) => f.milliseconds(value)),
    ['<1밀리초', '1밀리초', '2초'],
  );
  assert.equal(formatsFor('en').milliseconds(240.4), '240 ms');
});
