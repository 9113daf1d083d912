import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assignSplits } from './split.ts';
import { imageProblem } from './image-sniff.ts';
import { readImageFolder } from './imagefolder.ts';

test('class folders, splits as given, and the folder around them are told apart', () => {
  const plain = readImageFolder(['10/a.png', '2/b.png', '2/.DS_Store', 'notes.txt']);
  assert.deepEqual([plain.classes, plain.splitsGiven, plain.ignored], [['2', '10'], false, ['notes.txt']]);
  const given = readImageFolder(['pets/train/cat/1.jpg', 'pets/valid/dog/2.jpg']);
  assert.equal(given.splitsGiven, true);
  assert.deepEqual(
    given.images.map((image) => [image.split, image.class]),
    [
      ['train', 'cat'],
      ['val', 'dog'],
    ],
  );
});

test('pictures in no class folder, one class only and no picture at all are named', () => {
  assert.match(readImageFolder(['a.png', 'cat/b.png', 'dog/c.png']).problems[0]?.message ?? '', /no class folder/);
  assert.match(readImageFolder(['cat/a.png', 'cat/b.png']).problems[0]?.message ?? '', /only one class/);
  assert.match(readImageFolder(['readme.md']).problems[0]?.message ?? '', /no picture/);
});

test('a split depends on seed and path only, and leaves no class empty on either side', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 60 }),
      fc.integer(),
      (names, seed) => {
        const items = names.map((name, i) => ({ name, group: String(i % 3) }));
        const keys = { class: (item: { group: string }) => item.group, path: (item: { name: string }) => item.name };
        const one = assignSplits(items, keys, seed);
        const other = assignSplits([...items].reverse(), keys, seed);
        for (const item of items) assert.equal(one.get(item), other.get(item));
        for (const group of Map.groupBy(items, keys.class).values()) {
          if (group.length < 2) continue;
          assert.deepEqual(new Set(group.map((item) => one.get(item))), new Set(['train', 'val']));
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('a cut or renamed picture is found without decoding it', () => {
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
  const end = Buffer.from('0000000049454e44ae426082', 'hex');
  assert.equal(imageProblem('a.png', png, end), null);
  assert.equal(imageProblem('a.png', png, png), 'is cut off');
  assert.equal(imageProblem('a.jpg', png, end), 'is not a JPEG picture');
});
