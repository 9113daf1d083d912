import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { encodePng } from '../src/trainer/png.ts';
import { PICTURES, predictionCases, resizeCases, type Case } from './cases.ts';
import { assertSame } from './compare.ts';
import { ENGINES, ENGINE_TITLES, prepareCpp } from './cpp-driver.ts';
import { findChromium, preparePython, type Program } from './environments.ts';
import { inBrowser, inNode, inProgram, type Answer, type Job } from './wrappers.ts';

const root = mkdtempSync(join(tmpdir(), 'trainyard-wrappers-'));
const driver = join(import.meta.dirname, 'driver.py');
const images = PICTURES.map((_, at) => join(root, `picture-${at}.png`));
/** Predicted; the larger picture after them is resized only. */
const SHOWN = images.filter((_, at) => at !== 2);
const predictions: Job[] = [];
const preparations: Job[] = [];
let wanted: Answer[] = [];
let prepared: Answer[] = [];

function writeBundle({ name, metadata, model }: Case): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'metadata.json'), JSON.stringify(metadata));
  if (model !== undefined) writeFileSync(join(folder, 'model.onnx'), model);
  return folder;
}

before(async () => {
  PICTURES.forEach((picture, at) => writeFileSync(images[at] ?? '', encodePng(picture)));
  for (const item of predictionCases()) {
    const bundle = writeBundle(item);
    predictions.push(...SHOWN.map((image): Job => ({ verb: 'predict', bundle, image })));
  }
  for (const item of resizeCases()) {
    const bundle = writeBundle(item);
    preparations.push(...images.slice(0, 3).map((image): Job => ({ verb: 'prepare', bundle, image })));
  }
  wanted = await inNode(predictions);
  prepared = await inNode(preparations);
});

after(() => rmSync(root, { recursive: true, force: true }));

function pathOf(t: TestContext, program: Program): string | undefined {
  if ('path' in program) return program.path;
  t.skip(program.missing);
  return undefined;
}

function assertAll(got: readonly Answer[], jobs: readonly Job[], expected: readonly Answer[]): void {
  assert.equal(got.length, jobs.length);
  jobs.forEach(({ bundle, image }, at) => {
    const [one, other] = [got[at], expected[at]];
    assert.ok(one !== undefined && other !== undefined);
    assertSame(one, other, `${bundle.slice(root.length + 1)}, ${image.slice(root.length + 1)}`);
  });
}

test('the fixtures say something: every meaning finds things, and not everything', () => {
  for (const bundle of new Set(predictions.map((job) => job.bundle))) {
    const name = bundle.slice(root.length + 1);
    const lines = predictions.flatMap((job, at) => (job.bundle === bundle ? (wanted[at]?.line ?? []) : []));
    const instances = lines.flatMap((line) => line.instances ?? []);
    const masks = instances.flatMap(({ mask }) => mask ?? []);
    assert.equal(lines.length, SHOWN.length);
    if (name.startsWith('semantic'))
      assert.ok(
        lines.every(({ mask }) => new Set(mask).size > 1),
        name,
      );
    else if (name === 'logits' || name === 'probs')
      assert.ok(
        lines.some(({ classes }) => (classes?.length ?? 0) > 1),
        name,
      );
    else assert.ok(instances.length > 4 && instances.length < 400, `${name}: ${instances.length}`);
    assert.equal(masks.length > 0, name.includes('seg'), name);
    if (masks.length > 0)
      assert.ok(
        masks.some(({ rle }) => rle.counts.length > 3),
        name,
      );
  }
});

test('Python gives what Node gives, for every meaning', (t) => {
  const python = pathOf(t, preparePython());
  if (python !== undefined) assertAll(inProgram([python, driver], predictions, root), predictions, wanted);
});

for (const engine of ENGINES) {
  test(`C++ on ${ENGINE_TITLES[engine]} gives what Node gives, for every meaning`, (t) => {
    const program = pathOf(t, prepareCpp(engine));
    if (program !== undefined) assertAll(inProgram([program], predictions, root), predictions, wanted);
  });
}

test('the browser gives what Node gives, for every meaning', async (t) => {
  const chromium = pathOf(t, findChromium());
  if (chromium === undefined) return;
  const some = predictions.map((job, at) => ({ job, at })).filter(({ at }) => at % SHOWN.length < 2);
  const jobs = some.map(({ job }) => job);
  assertAll(
    await inBrowser(chromium, jobs, root),
    jobs,
    some.flatMap(({ at }) => wanted[at] ?? []),
  );
});

test('every way to resize is the same in Python, Node and C++', (t) => {
  const python = preparePython();
  const engines = ENGINES.map((engine) => prepareCpp(engine));
  const program = engines.find((found) => 'path' in found) ?? engines[0] ?? { missing: 'no engine' };
  if ('path' in python) assertAll(inProgram([python.path, driver], preparations, root), preparations, prepared);
  if ('path' in program) assertAll(inProgram([program.path], preparations, root), preparations, prepared);
  if ('missing' in python && 'missing' in program) t.skip(`${python.missing}; ${program.missing}`);
});

test('resizing without filter is what OpenCV does: mean at most 0.5, largest 2 of 255', (t) => {
  const program = pathOf(t, prepareCpp('opencv'));
  if (program === undefined) return;
  const input = images.map((image) => `resize\t\t${image}\t\n`).join('');
  const { stdout } = spawnSync(program, { input, encoding: 'utf8' });
  const rows: { kind: string; mean: number; most: number }[] = stdout
    .trim()
    .split('\n')
    .flatMap((text) => JSON.parse(text));
  assert.ok(rows.length >= 4 * 6);
  for (const row of rows) assert.ok(row.mean <= 0.5 && row.most <= 2, JSON.stringify(row));
});

test('resizing with filter is what Pillow does: mean at most 0.5, largest 2 of 255', (t) => {
  const python = pathOf(t, preparePython());
  if (python === undefined) return;
  const { status, stdout, stderr } = spawnSync(python, [join(import.meta.dirname, 'against_pillow.py'), ...images], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  const rows: { kind: string; mean: number; most: number }[] = JSON.parse(stdout);
  assert.ok(rows.length >= 4 * 6);
  for (const row of rows) assert.ok(row.mean <= 0.5 && row.most <= 2, JSON.stringify(row));
});

test('a picture that is no picture and an unknown operation are refused by name', async () => {
  const [job] = predictions;
  assert.ok(job !== undefined);
  const folder = join(root, 'unknown');
  mkdirSync(folder, { recursive: true });
  const text = readFileSync(join(job.bundle, 'metadata.json'), 'utf8').replace('"op":"rescale"', '"op":"sharpen"');
  writeFileSync(join(folder, 'metadata.json'), text);
  await assert.rejects(inNode([{ ...job, bundle: folder, verb: 'prepare' }]), /operation sharpen is not known/);
});
