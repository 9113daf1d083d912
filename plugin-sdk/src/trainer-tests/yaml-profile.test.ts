import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { parseYaml } from '../trainer/yaml-profile.ts';

const SAMPLES = [
  'a: 1\nb: [x, "y, z", {c: d}]\n# note\nc:\n  - one\n  - two: 2\n    three: no\n  -\n    four: ~\n',
  'list:\n- a\n- b: {url: "https://example.org/#x", n: 1e-3}\nurl: https://example.org:80/a#b\n',
  "quoted: 'it''s'\nempty:\nversion: \"1.10\"\nnumber: 1.10\nflag: True\nword: no # comment\nnegative: -.5\n",
  'deep: { a: [1, [2, 3]], "b c": null }\nlong: [one,\n  two,\n  three]\nrange: ">=22.18"\n',
  '- a: 1\n  b:\n    - 2\n- [x]\n- plain text: with colon\n',
];

test('it reads what the full YAML reader reads', () => {
  for (const sample of SAMPLES) assert.deepEqual(parseYaml(sample), parse(sample, { version: '1.2' }), sample);
});

test('it refuses what the profile leaves out and names the line', () => {
  for (const sample of [
    'a: &x 1',
    'a: *x',
    'a: !!str 1',
    'a: |\n  text',
    'a: [1, 2',
    'a: 1\na: 2',
    'a: 1\n   b: 2',
    '\ta: 1',
    'a: "open',
  ]) {
    assert.throws(() => parseYaml(sample), /line \d+: /, sample);
  }
});
