import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { decodePng, encodePng, type Picture } from '../src/trainer/png.ts';
import { picture } from './cases.ts';
import { assertSame, type Gap } from './compare.ts';
import { prepareCpp } from './cpp-driver.ts';
import { findChromium, preparePython, type Program } from './environments.ts';
import { inBrowser, inNode, inProgram, type Answer, type Job } from './wrappers.ts';

/**
 * Bundles that the trainers exported, one folder each in TRAINYARD_TEST_BUNDLES (scripts/testing/prove-trainers.ts sets it): one ONNX file,
 * the same findings in Node, the browser, Python and C++.
 */

/** Four builds of ONNX Runtime add in other orders. */
const ALLOWED: Gap = { tensor: 1e-4, pixels: 1e-3, scores: 1e-4, strays: 1 / 500 };

const given = process.env['TRAINYARD_TEST_BUNDLES'] ?? '';
const root = resolve(given);
const bundles = given === '' ? [] : onnxBundles();
const scratch = mkdtempSync(join(tmpdir(), 'trainyard-bundles-'));
const jobs: Job[] = [];
let wanted: Answer[] = [];

function onnxBundles(): string[] {
  return readdirSync(root)
    .map((name) => join(root, name))
    .filter((folder) => existsSync(join(folder, 'model.onnx')) && existsSync(join(folder, 'selftest', 'input.png')))
    .sort();
}

/** The self-test's picture in another size and shape: pixels repeated, the lower part cut off. */
function reshaped(input: Picture): Picture {
  const [width, height] = [Math.round(input.width * 1.37), Math.round(input.height * 1.1)];
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const at = (Math.floor(y / 1.37) * input.width + Math.floor(x / 1.37)) * 3;
      pixels.set(input.pixels.subarray(at, at + 3), (y * width + x) * 3);
    }
  return { width, height, channels: 3, pixels };
}

before(async () => {
  for (const [at, bundle] of bundles.entries()) {
    const input = join(bundle, 'selftest', 'input.png');
    const made = [reshaped(decodePng(readFileSync(input))), picture(at, 211, 157)];
    const images = made.map((one, i) => {
      const file = join(scratch, `${at}-${i}.png`);
      writeFileSync(file, encodePng(one));
      return file;
    });
    jobs.push(...[input, ...images].map((image): Job => ({ verb: 'predict', bundle, image })));
  }
  wanted = await inNode(jobs);
});

after(() => rmSync(scratch, { recursive: true, force: true }));

/** The program, unless it or the bundles are missing. */
function pathOf(t: TestContext, find: () => Program): string | undefined {
  const found: Program =
    given === '' ? { missing: 'TRAINYARD_TEST_BUNDLES names no folder of bundles; prove-trainers.ts sets it' } : find();
  if ('path' in found) return found.path;
  t.skip(found.missing);
  return undefined;
}

function assertAll(t: TestContext, got: readonly Answer[]): void {
  assert.equal(got.length, jobs.length);
  const faults: string[] = [];
  for (const [at, { bundle, image }] of jobs.entries()) {
    const [one, other] = [got[at], wanted[at]];
    assert.ok(one !== undefined && other !== undefined);
    const what = `${bundle.slice(root.length + 1)}, picture ${at % 3}`;
    try {
      const gap = assertSame(one, other, what, ALLOWED);
      const found = other.line.instances?.length ?? other.line.classes?.length ?? 'mask';
      const [pixels, scores, strays] = [gap.pixels, gap.scores, gap.strays].map((value) => value.toExponential(1));
      t.diagnostic(`${what}: ${found} found; ${pixels} px, score ${scores}, mask ${strays}`);
    } catch (error) {
      faults.push(`${error instanceof Error ? error.message : String(error)} (${image})`);
    }
  }
  assert.deepEqual(faults, []);
}

test('the folder has bundles, and each finds something in its own self-test picture', (t) => {
  if (pathOf(t, () => ({ path: root })) === undefined) return;
  assert.ok(bundles.length > 0, `${root} has no folder with model.onnx and selftest/input.png`);
  for (const [at, { bundle }] of jobs.entries()) {
    const { instances, classes, mask } = wanted[at]?.line ?? {};
    if (at % 3 === 0) assert.ok((instances ?? classes ?? mask ?? []).length > 0, `${bundle} finds nothing`);
  }
});

test('Python finds what Node finds with the trainers’ bundles', (t) => {
  const python = pathOf(t, preparePython);
  if (python !== undefined) assertAll(t, inProgram([python, join(import.meta.dirname, 'driver.py')], jobs, scratch));
});

test('C++ on ONNX Runtime finds what Node finds with the trainers’ bundles', (t) => {
  const program = pathOf(t, () => prepareCpp('ort'));
  if (program !== undefined) assertAll(t, inProgram([program], jobs, scratch));
});

test('the browser finds what Node finds with the trainers’ bundles', async (t) => {
  const chromium = pathOf(t, findChromium);
  if (chromium !== undefined) assertAll(t, await inBrowser(chromium, jobs, root));
});
