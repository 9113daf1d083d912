/**
 * Checks an unpacked bundle: the picture in selftest/ must give the expected prediction. Exits 0 or 1 and says what differs.
 *
 *   npm install && node selftest.js [BUNDLE]
 */
import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inflateSync } from 'node:zlib';
import { BundleError, decodeRle, loadPredictor } from './predict.js';

/** Beside the threshold scores may fall on either side. */
const MARGIN = 0.02;

/** What differs; empty when the bundle gives what it promises. */
export async function check(bundle, ort) {
  const read = (path) => readFileSync(join(bundle, path));
  const metadata = JSON.parse(read('metadata.json').toString('utf8'));
  const expected = JSON.parse(read('selftest/expected.json').toString('utf8'));
  const picture = decodePng(read('selftest/input.png'));
  const file = metadata.artifact.files.find(({ path }) => path.endsWith('.onnx'))?.path ?? 'model.onnx';
  const predictor = await loadPredictor(ort, metadata, join(bundle, file), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const faults = compareInput(
    predictor.preprocess(picture),
    optional(() => readNpy(read('selftest/input.npy'))),
    metadata,
  );
  const got = await predictor.predict(picture);
  await predictor.release();
  if (expected.mask !== undefined) {
    const bytes = optional(() => read(expected.mask)) ?? read(join('selftest', expected.mask));
    faults.push(...comparePixels(got.mask, decodePng(bytes, true)));
  }
  if (expected.classes !== undefined) faults.push(...compareClasses(expected.classes, got.classes ?? []));
  if (expected.instances !== undefined) {
    const scores = metadata.postprocess.filter(({ op }) => op === 'threshold').map(({ score }) => score);
    faults.push(...compareInstances(expected.instances, got.instances ?? [], Math.max(0, ...scores) + MARGIN, got));
  }
  return faults;
}

function optional(read) {
  try {
    return read();
  } catch (error) {
    if (error?.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The input tensor against the trainer's: mean 0.5, largest 2 steps of an 8-bit picture. */
function compareInput({ data, dims }, wanted, metadata) {
  if (wanted === undefined) return [];
  if (dims.join() !== wanted.dims.join()) return [`input tensor: shape ${dims}, expected ${wanted.dims}`];
  let [factor, std, nchw] = [1, [1], false];
  for (const op of metadata.preprocess) {
    if (op.op === 'rescale') factor *= op.factor;
    if (op.op === 'normalize') std = op.std;
    if (op.op === 'transpose') nchw = op.layout === 'NCHW';
  }
  const [plane, channels] = nchw ? [dims[2] * dims[3], dims[1]] : [1, dims[3]];
  let [sum, most] = [0, 0];
  for (let i = 0; i < data.length; i += 1) {
    const step = (Math.abs(data[i] - wanted.data[i]) * std[(Math.floor(i / plane) % channels) % std.length]) / factor;
    sum += step;
    most = Math.max(most, step);
  }
  const mean = sum / data.length;
  if (mean <= 0.5 && most <= 2) return [];
  return [
    `input tensor: differs by ${mean.toFixed(3)} of 255 on average (allowed 0.5), at most ${most.toFixed(2)} (allowed 2)`,
  ];
}

function comparePixels(got, wanted) {
  if (got === undefined || got.width !== wanted.width || got.height !== wanted.height)
    return [`mask: size ${got?.width} × ${got?.height}, expected ${wanted.width} × ${wanted.height}`];
  const equal = got.data.reduce((count, value, i) => count + (value === wanted.data[i] ? 1 : 0), 0) / got.data.length;
  return equal >= 0.99 ? [] : [`mask: ${(equal * 100).toFixed(2)} % of the pixels are equal, expected 99 %`];
}

function compareClasses(expected, got) {
  const faults = [];
  const scores = new Map(got.map((entry) => [entry.class, entry.score]));
  const least = Math.min(1, ...scores.values());
  for (const entry of expected) {
    const score = scores.get(entry.class);
    if (score === undefined) {
      // The last places of a short list may go to either of two equals.
      if (got.length === 0 || entry.score > least + 1e-3)
        faults.push(`class ${entry.class}: missing, expected with score ${entry.score.toFixed(4)}`);
    } else if (Math.abs(score - entry.score) > 0.01)
      faults.push(`class ${entry.class}: score ${score.toFixed(4)}, expected ${entry.score.toFixed(4)}`);
  }
  const ranks = new Map(got.map((entry, rank) => [entry.class, rank]));
  for (let i = 1; i < expected.length; i += 1) {
    const [first, second] = [expected[i - 1], expected[i]];
    const [a, b] = [ranks.get(first.class), ranks.get(second.class)];
    if (a !== undefined && b !== undefined && a > b && first.score - second.score > 1e-3)
      faults.push(`class ${second.class} comes before class ${first.class}, expected after it`);
  }
  return faults;
}

/** Each side's sure instances need a partner on the other side. */
function compareInstances(expected, got, sure, size) {
  const faults = [];
  for (const [side, these, others] of [
    ['missing', expected, got],
    ['not expected', got, expected],
  ]) {
    const taken = new Set();
    for (const item of these.filter(({ score }) => score >= sure)) {
      const verdicts = others
        .map((other, i) => ({ i, other }))
        .filter(({ i, other }) => !taken.has(i) && other.class === item.class)
        .map(({ i, other }) => ({ i, why: unlike(item, other, size) }));
      const partner = verdicts.find(({ why }) => why === undefined);
      if (partner !== undefined) {
        taken.add(partner.i);
        continue;
      }
      const nearest = verdicts.toSorted((a, b) => a.why.far - b.why.far)[0]?.why.text ?? 'no other of this class';
      const place = (item.box ?? item.obb ?? []).flat().map((value) => Math.round(value * 10) / 10);
      faults.push(
        `instance of class ${item.class}, score ${item.score.toFixed(3)}, at ${place.join(' ')}: ${side} (${nearest})`,
      );
    }
  }
  return faults;
}

/** Undefined when both are the same instance; else how far apart the boxes are and what differs. */
function unlike(a, b, size) {
  let [overlap, least] = [1, 0];
  if (a.obb !== undefined && b.obb !== undefined) [overlap, least] = [rotatedIou(a.obb, b.obb), 0.9];
  else if (a.box !== undefined && b.box !== undefined) [overlap, least] = [boxIou(a.box, b.box), 0.95];
  if (overlap < least) return { far: 1 - overlap, text: `nearest overlaps by ${overlap.toFixed(3)}, needed ${least}` };
  if (Math.abs(a.score - b.score) > MARGIN) return { far: 0, text: `score ${b.score.toFixed(3)}` };
  if (a.mask !== undefined && b.mask !== undefined) {
    const share = pixelIou(pixelsOf(a.mask, size), pixelsOf(b.mask, size));
    if (share < 0.9) return { far: 0, text: `mask overlaps by ${share.toFixed(3)}, needed 0.9` };
  }
  if (a.keypoints !== undefined && b.keypoints !== undefined) {
    const [x0, y0, x1, y1] = a.box ?? [0, 0, 0, 0];
    const allowed = Math.max(1, 0.01 * Math.max(x1 - x0, y1 - y0));
    const near = ([x, y], k) =>
      Math.abs(x - b.keypoints[k][0]) <= allowed && Math.abs(y - b.keypoints[k][1]) <= allowed;
    if (a.keypoints.length !== b.keypoints.length || !a.keypoints.every(near))
      return { far: 0, text: `keypoints differ by more than ${allowed.toFixed(1)} pixels` };
  }
  return undefined;
}

function boxIou(a, b) {
  const side = (k) => Math.max(0, Math.min(a[k + 2], b[k + 2]) - Math.max(a[k], b[k]));
  const shared = side(0) * side(1);
  const union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return union > 0 ? shared / union : 1;
}

function rotatedIou(a, b) {
  const shared = Math.abs(areaOf(clipped(turning(a), turning(b))));
  const union = Math.abs(areaOf(a)) + Math.abs(areaOf(b)) - shared;
  return union > 0 ? shared / union : 1;
}

function areaOf(points) {
  return (
    points.reduce(
      (sum, [x, y], i) => sum + x * points[(i + 1) % points.length][1] - points[(i + 1) % points.length][0] * y,
      0,
    ) / 2
  );
}

function turning(points) {
  return areaOf(points) >= 0 ? points : points.toReversed();
}

/** Sutherland and Hodgman: a polygon cut by the edges of a convex one. */
function clipped(polygon, clip) {
  let subject = polygon;
  for (const [i, [px, py]] of clip.entries()) {
    const [qx, qy] = clip[(i + 1) % clip.length];
    const inside = subject.map(([x, y]) => (qx - px) * (y - py) - (qy - py) * (x - px));
    const result = [];
    for (const [k, [x, y]] of subject.entries()) {
      const next = (k + 1) % subject.length;
      if (inside[k] >= 0) result.push([x, y]);
      if (inside[k] >= 0 === inside[next] >= 0) continue;
      const part = inside[k] / (inside[k] - inside[next]);
      result.push([x + (subject[next][0] - x) * part, y + (subject[next][1] - y) * part]);
    }
    subject = result;
  }
  return subject;
}

function pixelIou(a, b) {
  let [shared, union] = [0, 0];
  for (let i = 0; i < a.length; i += 1) {
    shared += a[i] & b[i];
    union += a[i] | b[i];
  }
  return union === 0 ? 1 : shared / union;
}

/** 0 and 1 for every pixel of the picture. */
function pixelsOf(mask, { width, height }) {
  if (mask.rle !== undefined) return decodeRle(mask.rle).data;
  const data = new Uint8Array(width * height);
  for (const ring of mask.polygon) {
    const flat = ring.flat();
    const points = Array.from({ length: flat.length / 2 }, (_, i) => [flat[i * 2], flat[i * 2 + 1]]);
    for (const [i, [x0, y0]] of points.entries()) {
      const [x1, y1] = points[(i + 1) % points.length];
      for (let row = 0; row < height; row += 1) {
        const y = row + 0.5;
        if (y0 > y === y1 > y) continue;
        const crossing = ((x1 - x0) * (y - y0)) / (y1 - y0) + x0;
        for (let x = 0; x < width && x + 0.5 < crossing; x += 1) data[row * width + x] ^= 1;
      }
    }
  }
  return data;
}

/** A .npy file of little-endian float32. */
function readNpy(bytes) {
  const long = bytes[6] >= 2;
  const start = long ? 12 : 10;
  const length = long ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', start, start + length);
  if (!header.includes("'<f4'")) throw new BundleError('selftest/input.npy is not float32');
  const dims =
    /'shape': \(([^)]*)\)/
      .exec(header)?.[1]
      .split(',')
      .filter((part) => part.trim() !== '')
      .map(Number) ?? [];
  const body = bytes.subarray(start + length);
  return { dims, data: Float32Array.from({ length: body.length / 4 }, (_, i) => body.readFloatLE(i * 4)) };
}

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** PNG of 8 bits a channel, not interlaced; as RGB, or the plain index or grey value of every pixel. */
export function decodePng(bytes, indices = false) {
  if (bytes.toString('latin1', 1, 4) !== 'PNG') throw new BundleError('the picture is not a PNG file');
  const [width, height, depth, type] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes[24], bytes[25]];
  if (depth !== 8 || bytes[28] !== 0)
    throw new BundleError('only PNG of 8 bits a channel, not interlaced, is read here');
  const parts = [];
  let palette = Buffer.alloc(0);
  for (let at = 8; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const name = bytes.toString('latin1', at + 4, at + 8);
    if (name === 'IDAT') parts.push(bytes.subarray(at + 8, at + 8 + length));
    if (name === 'PLTE') palette = bytes.subarray(at + 8, at + 8 + length);
    at += length + 12;
  }
  const channels = CHANNELS[type];
  const rows = unfilter(inflateSync(Buffer.concat(parts)), width * channels, height, channels);
  if (indices) return { width, height, data: channels === 1 ? rows : rows.filter((_, i) => i % channels === 0) };
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1)
      data[i * 3 + c] = type === 3 ? palette[rows[i] * 3 + c] : rows[i * channels + (channels >= 3 ? c : 0)];
  }
  return { width, height, data };
}

function unfilter(raw, line, height, step) {
  const out = new Uint8Array(line * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (line + 1)];
    for (let i = 0; i < line; i += 1) {
      const left = i >= step ? out[y * line + i - step] : 0;
      const up = y > 0 ? out[(y - 1) * line + i] : 0;
      const corner = i >= step && y > 0 ? out[(y - 1) * line + i - step] : 0;
      const guess = [0, left, up, (left + up) >> 1, filter === 4 ? paeth(left, up, corner) : 0][filter];
      out[y * line + i] = raw[y * (line + 1) + 1 + i] + guess;
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** onnxruntime-node as installed beside this file, or in the working directory. */
async function runtime() {
  try {
    const found = await import('onnxruntime-node');
    return found.default ?? found;
  } catch {
    try {
      return createRequire(join(process.cwd(), 'package.json'))('onnxruntime-node');
    } catch {
      throw new BundleError('onnxruntime-node is not installed: run `npm install` in runtime/ts');
    }
  }
}

async function main() {
  const bundle = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..'));
  const faults = await check(bundle, await runtime());
  for (const fault of faults) console.error(fault);
  console.log(faults.length > 0 ? 'Self-test failed.' : 'Self-test passed: the bundle predicts what it promises.');
  return faults.length > 0 ? 1 : 0;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  process.exitCode = await main().catch((error) => {
    console.error(`Self-test could not run: ${error instanceof Error ? error.message : error}`);
    return 1;
  });
}
