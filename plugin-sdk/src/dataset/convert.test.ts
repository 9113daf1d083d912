import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DatasetFormat, TaskId } from '../vocabulary.ts';
import { checkDataset } from './check-dataset.ts';
import { convertDataset } from './convert.ts';
import type { DatasetFile } from './dataset-file.ts';
import { sourceFromMap } from './dataset-source.ts';
import { boundsOf, ringArea } from './geometry.ts';
import { encodePng8 } from './index-png.ts';
import type { Box, Item, Keypoint, Label, Point } from './labelled-item.ts';
import { readItems, writeItems } from './read-dataset.ts';
import { DatasetError } from './reading.ts';
import { sinkToMap } from './writing.ts';
import { synthDataset } from './synth/synth-dataset.ts';

const NAMES = ['washer', 'bolt', 'nut'];
const KEYPOINTS = { names: ['head', 'tip'], flipIndex: [0, 1] };
const [WIDTH, HEIGHT] = [61, 37];
const PICTURE = encodePng8({ width: WIDTH, height: HEIGHT, channels: 1, data: new Uint8Array(WIDTH * HEIGHT) });
const RUNS = { numRuns: 25 };

interface Stored {
  readonly files: Map<string, Uint8Array>;
  readonly file: DatasetFile;
}

async function stored(task: TaskId, format: DatasetFormat, labels: readonly Label[]): Promise<Stored> {
  const files = new Map<string, Uint8Array>();
  const item: Item = { image: 'x.png', width: WIDTH, height: HEIGHT, split: 'train', labels };
  const classes = NAMES.map((name, index) => ({ index, name }));
  const header = { name: 'n', task, format, classes, ...(task === 'pose' ? { keypoints: KEYPOINTS } : {}) };
  const sink = sinkToMap(files, { read: () => Promise.resolve(PICTURE) });
  return { files, file: await writeItems(sink, header, [item]) };
}

async function converted(from: Stored, task: TaskId, format: DatasetFormat): Promise<Stored & { lossy: boolean }> {
  const files = new Map<string, Uint8Array>();
  const source = sourceFromMap(from.files);
  const { file, info } = await convertDataset(source, from.file, sinkToMap(files, source), { to: { task, format } });
  assert.deepEqual(JSON.parse(new TextDecoder().decode(files.get('conversion.json'))), info);
  return { files, file, lossy: info.lossy };
}

async function labelsIn({ files, file }: Stored): Promise<Label[]> {
  const labels: Label[] = [];
  for await (const item of readItems(sourceFromMap(files), file)) labels.push(...item.labels);
  return labels;
}

function around(label: Label): Box {
  if (label.kind === 'polygon') return boundsOf(label.rings.flat());
  if (label.kind === 'obb') return boundsOf(label.corners);
  assert.ok(label.kind === 'box' || label.kind === 'keypoints');
  return label.box;
}

function assertNear(one: readonly number[], other: readonly number[]): void {
  assert.equal(one.length, other.length);
  one.forEach((value, i) => assert.ok(Math.abs(value - (other[i] ?? NaN)) <= 0.5, `${one} and ${other}`));
}

const cls = fc.integer({ min: 0, max: 2 });
const x = fc.double({ min: 0, max: WIDTH - 4, noNaN: true });
const y = fc.double({ min: 0, max: HEIGHT - 4, noNaN: true });
const box = fc
  .tuple(x, y, fc.double({ min: 0.02, max: 1, noNaN: true }), fc.double({ min: 0.02, max: 1, noNaN: true }))
  .map(([x1, y1, w, h]): Box => [x1, y1, x1 + 1 + w * (WIDTH - x1 - 1), y1 + 1 + h * (HEIGHT - y1 - 1)]);
const boxes = fc.uniqueArray(fc.record({ kind: fc.constant('box' as const), class: cls, box }), {
  minLength: 1,
  maxLength: 6,
  selector: (label) => JSON.stringify(label.box.map(Math.round)),
});
const polygons = fc.uniqueArray(
  fc.record({
    kind: fc.constant('polygon' as const),
    class: cls,
    rings: fc.array(fc.tuple(x, y), { minLength: 3, maxLength: 9 }).map((ring: Point[]) => [ring]),
  }),
  { minLength: 1, maxLength: 5, selector: (label) => JSON.stringify(label.rings.flat(2).map(Math.round)) },
);
const seen = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
const poses = fc.uniqueArray(
  fc.record({
    kind: fc.constant('keypoints' as const),
    class: cls,
    box,
    points: fc.array(
      fc.tuple(x, y, seen).map(([px, py, v]): Keypoint => (v === 0 ? [0, 0, 0] : [px, py, v])),
      { minLength: 2, maxLength: 2 },
    ),
  }),
  { minLength: 1, maxLength: 5, selector: (label) => JSON.stringify(label.box.map(Math.round)) },
);

/** There and back: class, number and geometry are what they were, and the class order too. */
async function roundTrip(start: Stored, task: TaskId, there: DatasetFormat, labels: readonly Label[]) {
  const away = await converted(start, task, there);
  const back = await converted(away, task, start.file.format === 'coco@1' ? 'coco@1' : startFormat(start));
  assert.equal(away.lossy, false);
  assert.deepEqual(
    back.file.classes.map(({ name }) => name),
    NAMES,
  );
  const found = await labelsIn(back);
  assert.deepEqual(
    found.map((label) => 'class' in label && label.class),
    labels.map((label) => 'class' in label && label.class),
  );
  found.forEach((label, i) => {
    const expected = labels[i];
    assert.ok(expected !== undefined && expected.kind === label.kind);
    assertNear(around(label), around(expected));
    if (label.kind === 'polygon' && expected.kind === 'polygon')
      assertNear(label.rings.flat(2), expected.rings.flat(2));
    if (label.kind === 'keypoints' && expected.kind === 'keypoints')
      assertNear(label.points.flat(), expected.points.flat());
  });
}
function startFormat({ file: { format } }: Stored): DatasetFormat {
  return format === 'yolo-detect@1' || format === 'yolo-segment@1' ? format : 'yolo-pose@1';
}

test('boxes, outlines and points survive YOLO → COCO → YOLO', async () => {
  await fc.assert(
    fc.asyncProperty(boxes, async (labels) => {
      await roundTrip(await stored('detect', 'yolo-detect@1', labels), 'detect', 'coco@1', labels);
      await roundTrip(await stored('detect', 'coco@1', labels), 'detect', 'yolo-detect@1', labels);
    }),
    RUNS,
  );
  await fc.assert(
    fc.asyncProperty(polygons, async (labels) => {
      await roundTrip(await stored('segment', 'yolo-segment@1', labels), 'segment', 'coco@1', labels);
    }),
    RUNS,
  );
  await fc.assert(
    fc.asyncProperty(poses, async (labels) => {
      await roundTrip(await stored('pose', 'yolo-pose@1', labels), 'pose', 'coco@1', labels);
    }),
    RUNS,
  );
});

test('boxes of outlines and points, and turned boxes of boxes, have the same class and place', async () => {
  await fc.assert(
    fc.asyncProperty(boxes, async (labels) => {
      const turned = await labelsIn(await converted(await stored('detect', 'coco@1', labels), 'obb', 'yolo-obb@1'));
      turned.forEach((label, i) => assertNear(around(label), labels[i]?.box ?? []));
      assert.equal(turned.length, labels.length);
    }),
    RUNS,
  );
  await fc.assert(
    fc.asyncProperty(polygons, async (labels) => {
      const start = await stored('segment', 'coco@1', labels);
      const out = await converted(start, 'detect', 'coco@1');
      const found = await labelsIn(out);
      assert.equal(out.lossy, true);
      found.forEach((label, i) => assertNear(around(label), boundsOf(labels[i]?.rings.flat() ?? [])));
      assert.equal(found.length, labels.length);
    }),
    RUNS,
  );
});

test('masks: parts become outlines and the same mask again; background is nobody', async () => {
  const start = await synthDataset({ task: 'semantic', seed: 9, train: 3, val: 0, size: 64 });
  for (const format of ['yolo-segment@1', 'coco@1'] as const) {
    const shapes = await converted(start, 'segment', format);
    assert.deepEqual(
      shapes.file.classes.map(({ index, name }) => [index, name]),
      NAMES.map((name, i) => [i, name]),
    );
    const back = await converted(shapes, 'semantic', 'mask-png@1');
    assert.deepEqual(
      back.file.classes.map(({ name }) => name),
      [...NAMES, 'background'],
    );
    const [before, after] = [await labelsIn(start), await labelsIn(back)];
    before.forEach((label, i) => {
      const other = after[i];
      assert.ok(label.kind === 'mask' && other?.kind === 'mask');
      // Background moved from 0 to the end, the parts one down; nothing else changed.
      const moved = label.mask.data.map((value) => (value === 0 ? 3 : value - 1));
      assert.deepEqual(other.mask.data, moved);
    });
  }
});

test('the smallest box of a drawn bolt lies where the bolt was drawn', async () => {
  const options = { seed: 4, train: 4, val: 0, size: 128 };
  const outlines = await synthDataset({ ...options, task: 'segment' });
  const truth = await labelsIn(await synthDataset({ ...options, task: 'obb' }));
  const found = await labelsIn(await converted(outlines, 'obb', 'yolo-obb@1'));
  assert.equal(found.length, truth.length);
  truth.forEach((label, i) => {
    const other = found[i];
    assert.ok(label.kind === 'obb' && other?.kind === 'obb');
    assert.equal(other.class, label.class);
    // Even seeds have bolts first; pixels are coarse, and the round parts have no direction.
    if (label.class !== 0) return;
    const ratio = Math.abs(ringArea(other.corners)) / Math.abs(ringArea(label.corners));
    assert.ok(ratio > 0.8 && ratio < 1.25, String(ratio));
  });
});

test('a large outline does not cover a small one on top of it', async () => {
  const square = (from: number, to: number): Point[] => [
    [from, from],
    [to, from],
    [to, to],
    [from, to],
  ];
  const labels: Label[] = [
    { kind: 'polygon', class: 2, rings: [square(10, 14)] },
    { kind: 'polygon', class: 1, rings: [square(2, 30)] },
  ];
  const out = await converted(await stored('segment', 'yolo-segment@1', labels), 'semantic', 'mask-png@1');
  const [label] = await labelsIn(out);
  assert.ok(label?.kind === 'mask');
  assert.deepEqual(
    [0, 5, 12].map((at) => label.mask.data[at * WIDTH + at]),
    [3, 1, 2],
  );
});

test('crops of boxes are class folders without a problem', async () => {
  const start = await synthDataset({ task: 'detect', seed: 3, train: 6, val: 6, size: 64 });
  const crops = await converted(start, 'classify', 'imagefolder@1');
  const facts = await checkDataset(sourceFromMap(crops.files), crops.file);
  assert.deepEqual(facts.findings, []);
  assert.equal(facts.images, (await labelsIn(start)).length);
});

test('what the table does not have is refused, with a way to mend it', async () => {
  const start = await stored('detect', 'yolo-detect@1', []);
  for (const [task, format] of [
    ['segment', 'yolo-segment@1'],
    ['pose', 'coco@1'],
    ['detect', 'mask-png@1'],
  ] as const)
    await assert.rejects(converted(start, task, format), DatasetError);
});
