import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeMask } from '../dataset/index-png.ts';
import type { Item } from '../dataset/labelled-item.ts';
import { readItems } from '../dataset/read-dataset.ts';
import { sourceFromFolder } from '../dataset/dataset-source.ts';
import { decodeRle, encodeRle, packCounts } from '../dataset/rle.ts';
import { synthDataset } from '../dataset/synth/synth-dataset.ts';
import type { DatasetFormat, TaskId } from '../vocabulary.ts';
import { PredictionsError, type PredictionsProblem } from './predictions-error.ts';
import { recomputeMetrics } from './recompute-metrics.ts';
import { boxOfMask, maskOfRings, type RunMask } from './run-mask.ts';
import { boxOfLabel, cornersOfLabel, isObject, maskOfLabel } from './truth-shapes.ts';

const PAIRS: readonly (readonly [TaskId, DatasetFormat])[] = [
  ['classify', 'imagefolder@1'],
  ['detect', 'yolo-detect@1'],
  ['detect', 'coco@1'],
  ['segment', 'yolo-segment@1'],
  ['segment', 'coco@1'],
  ['pose', 'yolo-pose@1'],
  ['pose', 'coco@1'],
  ['obb', 'yolo-obb@1'],
  ['semantic', 'mask-png@1'],
];

interface Subject {
  readonly task: TaskId;
  readonly folder: string;
  readonly items: readonly Item[];
}
type Line = Record<string, unknown>;

let root = '';
const subjects = new Map<string, Subject>();
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'trainyard-metrics-'));
  for (const [task, format] of PAIRS) {
    const { files, file } = await synthDataset({
      task,
      format,
      seed: 11,
      train: 2,
      val: task === 'classify' ? 24 : 10,
    });
    const folder = join(root, `${task}-${format}`);
    for (const [path, bytes] of files) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), bytes);
    }
    const items: Item[] = [];
    for await (const item of readItems(sourceFromFolder(folder), file, { splits: ['val'] })) items.push(item);
    subjects.set(`${task} ${format}`, { task, folder, items });
  }
});
after(() => rm(root, { recursive: true, force: true }));

function subject(name: string): Subject {
  const found = subjects.get(name);
  assert.ok(found !== undefined);
  return found;
}

/** The truth itself as an answer. */
function perfect({ task, items }: Subject, masks: Map<string, Uint8Array>): Line[] {
  return items.map(({ image, width, height, labels }, at) => {
    const head = { image, width, height };
    const [first] = labels;
    if (first?.kind === 'class') return { ...head, classes: [{ class: first.class, score: 1 }] };
    if (first?.kind === 'mask') {
      const mask = `masks/${String(at).padStart(4, '0')}.png`;
      masks.set(mask, encodeMask(first.mask));
      return { ...head, mask };
    }
    const instances = labels.filter(isObject).map((label, i) => ({
      class: label.class,
      score: 0.95 - i * 0.01 - at * 0.001,
      box: boxOfLabel(label),
      ...(task === 'segment'
        ? { mask: { rle: rleOf(maskOfLabel(label, { width, height }), width, i % 2 === 0) } }
        : {}),
      ...(label.kind === 'keypoints' ? { keypoints: label.points.map(([x, y]) => [x, y, 0.9]) } : {}),
      ...(task === 'obb' ? { obb: cornersOfLabel(label) } : {}),
    }));
    return { ...head, instances };
  });
}

function rleOf({ runs, height }: RunMask, width: number, packed: boolean): unknown {
  const counts: number[] = [];
  let at = 0;
  for (const end of [...runs, width * height]) {
    counts.push(end - at);
    at = end;
  }
  return { size: [height, width], counts: packed ? packCounts(counts) : counts };
}

let made = 0;
async function written(lines: readonly Line[], masks: ReadonlyMap<string, Uint8Array> = new Map()): Promise<string> {
  made += 1;
  const folder = join(root, `answers-${made}`);
  await mkdir(join(folder, 'masks'), { recursive: true });
  for (const [path, bytes] of masks) await writeFile(join(folder, path), bytes);
  const file = join(folder, 'predictions.jsonl');
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return file;
}

function metricsOf({ task, folder }: Subject, predictions: string) {
  return recomputeMetrics({ task, dataset: { folder }, split: 'val', predictions });
}

for (const [task, format] of PAIRS) {
  test(`${task} ${format}: the truth itself scores 1 everywhere, in any order of the lines`, async () => {
    const here = subject(`${task} ${format}`);
    const masks = new Map<string, Uint8Array>();
    const lines = perfect(here, masks);
    const result = await metricsOf(here, await written(lines, masks));
    assert.equal(result.images, here.items.length);
    assert.equal(result.primary.value, result.metrics[result.primary.name]);
    for (const [name, value] of Object.entries(result.metrics)) assert.ok(value > 1 - 1e-9, `${name} is ${value}`);
    const turned = await metricsOf(here, await written(lines.toReversed(), masks));
    assert.deepEqual(turned, result);
  });
}

test('an answer that is shifted, thinned out or noisy scores less, and never more with more noise', async () => {
  const here = subject('detect yolo-detect@1');
  const lines = perfect(here, new Map());
  let last = 1;
  for (const shift of [2, 4, 8, 40]) {
    const moved = lines.map((line) => ({ ...line, instances: instancesOf(line).map((item) => shifted(item, shift)) }));
    const { map50_95 = -1 } = (await metricsOf(here, await written(moved))).metrics;
    assert.ok(map50_95 < last, `${map50_95} after ${last}`);
    last = map50_95;
  }
  assert.equal(last, 0);
  const half = lines.map((line) => ({ ...line, instances: instancesOf(line).slice(1) }));
  const { recall = 1, precision = 0 } = (await metricsOf(here, await written(half))).metrics;
  assert.ok(recall < 1 && precision === 1);
});

function instancesOf(line: Line): Line[] {
  const list = line['instances'];
  return Array.isArray(list) ? list : [];
}
function shifted(item: Line, by: number): Line {
  const box = item['box'];
  return { ...item, box: Array.isArray(box) ? box.map((value: number, i) => (i % 2 === 0 ? value + by : value)) : [] };
}

test('masks as polygons and as runs give the same', async () => {
  const here = subject('segment yolo-segment@1');
  const lines = here.items.map(({ image, width, height, labels }) => ({
    image,
    width,
    height,
    instances: labels.flatMap((label, i) =>
      label.kind === 'polygon'
        ? [{ class: label.class, score: 0.9 - i / 100, mask: { polygon: label.rings.map((ring) => ring.flat()) } }]
        : [],
    ),
  }));
  const { metrics } = await metricsOf(here, await written(lines));
  for (const [name, value] of Object.entries(metrics)) assert.ok(value > 0.999, `${name} is ${value}`);
});

test('runs of a mask equal those of the rasteriser', () => {
  for (const item of subject('segment yolo-segment@1').items) {
    for (const label of item.labels) {
      if (label.kind !== 'polygon') continue;
      const mask = maskOfRings(label.rings, item);
      const drawn = decodeRle({ size: [item.height, item.width], counts: countsOf(mask, item) });
      assert.equal(
        drawn.data.reduce((sum, value) => sum + value, 0),
        mask.area,
      );
      assert.deepEqual(encodeRle(drawn).counts, countsOf(mask, item));
      const [x1, y1, x2, y2] = boxOfMask(mask);
      assert.ok(x1 >= 0 && y1 >= 0 && x2 <= item.width && y2 <= item.height && x1 < x2 && y1 < y2);
    }
  }
});
function countsOf({ runs }: RunMask, { width, height }: Item): number[] {
  const ends = [...runs, ...(runs.at(-1) === width * height ? [] : [width * height])];
  return ends.map((end, i) => end - (ends[i - 1] ?? 0));
}

async function refused(
  lines: readonly Line[],
  here: Subject,
  code: PredictionsProblem,
  line: number | undefined,
  says: RegExp,
  masks?: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  await assert.rejects(metricsOf(here, await written(lines, masks)), (error) => {
    assert.ok(error instanceof PredictionsError, String(error));
    assert.deepEqual([error.code, error.file, error.line], [code, 'predictions.jsonl', line]);
    assert.match(error.message, says);
    assert.notEqual(error.fix, '');
    return true;
  });
}

test('what does not go together is told with file and line', async () => {
  const here = subject('detect coco@1');
  const lines = perfect(here, new Map());
  const [first = {}, ...rest] = lines;
  await refused(rest, here, 'prediction-missing', undefined, /no line for images\/val/);
  await refused([...lines, first], here, 'prediction-doubled', lines.length + 1, /line already \(line 1\)/);
  await refused(
    [...lines, { ...first, image: 'images/val/x.png' }],
    here,
    'prediction-unknown-image',
    lines.length + 1,
    /x\.png/,
  );
  const spoilt = (change: Line): Line[] => [...rest, { ...first, ...change }];
  const last = lines.length;
  await refused(
    spoilt({ instances: [{ class: 9, score: 1, box: [0, 0, 1, 1] }] }),
    here,
    'prediction-class',
    last,
    /class 9/,
  );
  await refused(spoilt({ instances: [{ class: 0, score: 1 }] }), here, 'prediction-invalid', last, /no "box"/);
  await refused(
    spoilt({ instances: [{ class: 0, score: 2, box: [0, 0, 1, 1] }] }),
    here,
    'prediction-invalid',
    last,
    /score 2/,
  );
  await refused(
    spoilt({ instances: [{ class: 0, score: 1, box: [0, 0, 1] }] }),
    here,
    'prediction-invalid',
    last,
    /finite/,
  );
  await refused(spoilt({ width: 3 }), here, 'prediction-invalid', last, /the line says 3/);
  await refused(spoilt({ image: null }), here, 'prediction-invalid', last, /no image/);
  const missing = recomputeMetrics({
    task: 'detect',
    dataset: here,
    split: 'val',
    predictions: join(root, 'none.jsonl'),
  });
  await assert.rejects(missing, /none\.jsonl: The file is missing/);
  const split = recomputeMetrics({ task: 'detect', dataset: here, split: 'test', predictions: await written(lines) });
  await assert.rejects(split, /no split test/);
});

test('masks: missing, of another size, with a strange value, outside of the folder', async () => {
  const here = subject('semantic mask-png@1');
  const masks = new Map<string, Uint8Array>();
  const lines = perfect(here, masks);
  const first = String(lines[0]?.['mask']);
  const changed = (bytes: Uint8Array): Map<string, Uint8Array> => new Map([...masks, [first, bytes]]);
  const small = encodeMask({ width: 2, height: 2, data: new Uint8Array(4) });
  await refused(lines, here, 'prediction-mask', 1, /2 × 2 instead of/, changed(small));
  const { width = 1, height = 1 } = here.items[0] ?? {};
  const strange = encodeMask({ width, height, data: new Uint8Array(width * height).fill(77) });
  await refused(lines, here, 'prediction-class', 1, /holds 77/, changed(strange));
  await refused(lines, here, 'prediction-mask', 1, /is missing/, new Map([...masks].slice(1)));
  const outside = await written(lines, new Map([...masks].slice(1)));
  await writeFile(join(root, 'secret.png'), small);
  await symlink(join(root, 'secret.png'), join(dirname(outside), first));
  await assert.rejects(metricsOf(here, outside), /not inside the folder/);
  const runs = subject('segment coco@1');
  const bad = perfect(runs, new Map());
  const { width: w = 0, height: h = 0 } = runs.items[0] ?? {};
  const instances = [{ class: 0, score: 1, mask: { rle: { size: [h, w], counts: [5] } } }];
  await refused([{ ...bad[0], instances }, ...bad.slice(1)], runs, 'prediction-invalid', 1, /cover 5 of/);
});
