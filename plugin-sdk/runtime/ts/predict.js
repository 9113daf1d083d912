/**
 * Runs an exported Trainyard model in Node or in the browser: what metadata.json lists before and after the model, and the model itself by
 * onnxruntime-node or onnxruntime-web.
 *
 *   import * as ort from 'onnxruntime-web';
 *   const predictor = await loadPredictor(ort, metadata, modelBytes);
 *   const line = await predictor.predict({ width, height, data });   // RGB or RGBA bytes, row by row
 *
 * The operations are the closed lists of export/v1; nothing here belongs to one model. The wrappers in python/ and cpp/ compute the same.
 * Types: predict.d.ts.
 */

/** The bundle or the picture cannot be used; the text says what and how to mend it. */
export class BundleError extends Error {}

/** Loads the model. `ort` is the module onnxruntime-node or onnxruntime-web; options go to its InferenceSession. */
export async function loadPredictor(ort, metadata, model, options = {}) {
  if (metadata?.schema !== 'export/v1')
    throw new BundleError(`metadata.json is ${metadata?.schema}, this wrapper reads export/v1`);
  if (metadata.artifact.format !== 'onnx')
    throw new BundleError(
      `this wrapper runs ONNX files, the bundle holds ${metadata.artifact.format}; use runtime/python`,
    );
  const session = await ort.InferenceSession.create(model, options);
  return new Predictor(ort, metadata, session);
}

export class Predictor {
  #ort;
  #session;

  constructor(ort, metadata, session) {
    this.#ort = ort;
    this.#session = session;
    this.metadata = metadata;
    this.labels = metadata.labels;
  }

  /** The model's input: data, dims with the batch axis. */
  preprocess(picture) {
    const { data, dims } = prepare(this.metadata, picture);
    return { data, dims };
  }

  /** Outputs `{ data, dims }` in the file's order to one prediction of a picture of this size. */
  postprocess(outputs, { width, height }) {
    const blank = { width, height, data: new Uint8Array(width * height * 3) };
    return finish(this.metadata, outputs, prepare(this.metadata, blank).frame);
  }

  /** One prediction: width, height, ms, and `classes`, `instances` or `mask` ({ width, height, data: class of every pixel }). */
  async predict(picture) {
    const began = performance.now();
    const { data, dims, frame, dtype } = prepare(this.metadata, picture);
    const ready = performance.now();
    const input = new this.#ort.Tensor(dtype, data, dims);
    const results = await this.#session.run({ [this.#session.inputNames[0]]: input });
    const ran = performance.now();
    const line = finish(
      this.metadata,
      this.#session.outputNames.map((name) => results[name]),
      frame,
    );
    const ms = { pre: ready - began, infer: ran - ready, post: performance.now() - ran };
    return { ...line, ms };
  }

  /** Frees the model. */
  async release() {
    await this.#session.release();
  }
}

// --- before the model ---------------------------------------------------------------------------------------------------------------

/** To the nearest, halves to even. */
function halfToEven(value) {
  const low = Math.floor(value);
  const part = value - low;
  if (part !== 0.5) return part < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

function clamp(value, low, high) {
  return value < low ? low : value > high ? high : value;
}

/** Halves upwards, also those that the last bit missed: every language rounds alike. */
function toByte(value) {
  return clamp(Math.floor(value + (0.5 + 1e-7)), 0, 255);
}

function kernel(distance, radius, a) {
  const d = Math.abs(distance);
  if (radius === 1) return d < 1 ? 1 - d : 0;
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

/** Which source pixels make each target pixel, with which weights: `count` of each per target. Half-pixel centres. */
function tapsOf(source, target, interpolation, antialias) {
  const scale = source / target;
  const rows = [];
  for (let i = 0; i < target; i += 1) {
    const centre = (i + 0.5) * scale;
    if (interpolation === 'nearest') rows.push([[clamp(Math.floor(centre + 1e-9), 0, source - 1), 1]]);
    else if (interpolation === 'area') rows.push(areaTaps(source, i * scale, scale));
    else if (antialias) rows.push(filterTaps(source, centre, scale, interpolation === 'bicubic' ? 2 : 1));
    else rows.push(neighbourTaps(source, centre, interpolation === 'bicubic' ? 2 : 1));
  }
  const count = Math.max(...rows.map((row) => row.length));
  const index = new Int32Array(target * count);
  const weight = new Float64Array(target * count);
  rows.forEach((row, i) => {
    row.forEach(([from, part], tap) => {
      index[i * count + tap] = from;
      weight[i * count + tap] = part;
    });
  });
  return { count, index, weight };
}

function normalised(row) {
  const sum = row.reduce((total, [, part]) => total + part, 0);
  return row.map(([from, part]) => [from, part / sum]);
}

function areaTaps(source, first, scale) {
  const row = [];
  const start = Math.floor(first);
  for (let k = start; k <= start + Math.ceil(scale); k += 1) {
    const part = Math.min(k + 1, first + scale) - Math.max(k, first);
    if (k < source && part > 1e-9) row.push([k, part]);
  }
  return normalised(row);
}

function neighbourTaps(source, centre, radius) {
  const row = [];
  const start = Math.floor(centre - 0.5) - (radius - 1);
  for (let k = start; k < start + 2 * radius; k += 1)
    row.push([clamp(k, 0, source - 1), kernel(k - (centre - 0.5), radius, -0.75)]);
  return row;
}

function filterTaps(source, centre, scale, radius) {
  const spread = Math.max(scale, 1);
  const support = radius * spread;
  const low = Math.max(Math.floor(centre - support + 0.5), 0);
  const high = Math.min(Math.floor(centre + support + 0.5), source);
  const row = [];
  for (let k = low; k < high; k += 1) row.push([k, kernel((k + 0.5 - centre) / spread, radius, -0.5)]);
  return normalised(row);
}

/** `image` is { width, height, channels, data }; `whole` rounds to 0..255, with antialias after each direction, as Pillow does. */
export function resize(image, height, width, interpolation = 'bilinear', antialias = false, whole = true) {
  const stepwise = whole && antialias;
  // Pillow's order since version 13: rows first where they shrink by far the most.
  const shrink = image.height - height;
  const rowsFirst = stepwise && shrink > 0 && shrink > (image.width - width) * 2;
  let result = { ...image, data: Float64Array.from(image.data) };
  for (const rows of [rowsFirst, !rowsFirst]) {
    if (rows && result.height !== height) result = resizeRows(result, height, interpolation, antialias);
    else if (!rows && result.width !== width) result = resizeColumns(result, width, interpolation, antialias);
    else continue;
    if (stepwise) result.data = result.data.map(toByte);
  }
  return whole ? { ...result, data: result.data.map(toByte) } : result;
}

function resizeColumns({ width, height, channels, data }, target, interpolation, antialias) {
  const { count, index, weight } = tapsOf(width, target, interpolation, antialias);
  const out = new Float64Array(height * target * channels);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < target; x += 1) {
      for (let c = 0; c < channels; c += 1) {
        let sum = 0;
        for (let tap = x * count; tap < (x + 1) * count; tap += 1)
          sum += data[(y * width + index[tap]) * channels + c] * weight[tap];
        out[(y * target + x) * channels + c] = sum;
      }
    }
  }
  return { width: target, height, channels, data: out };
}

function resizeRows({ width, height, channels, data }, target, interpolation, antialias) {
  const { count, index, weight } = tapsOf(height, target, interpolation, antialias);
  const line = width * channels;
  const out = new Float64Array(target * line);
  for (let y = 0; y < target; y += 1) {
    for (let tap = y * count; tap < (y + 1) * count; tap += 1) {
      const from = index[tap] * line;
      const part = weight[tap];
      if (part !== 0) for (let i = 0; i < line; i += 1) out[y * line + i] += data[from + i] * part;
    }
  }
  return { width, height: target, channels, data: out };
}

/** A picture on its way to the tensor and how its pixels lie: model = image × scale + shift. */
function newFrame(picture) {
  const { width, height, data } = picture;
  const channels = data.length / (width * height);
  if (!(width > 0 && height > 0) || (channels !== 3 && channels !== 4))
    throw new BundleError(
      `the picture must be RGB or RGBA bytes; ${data.length} bytes are not ${width} × ${height} of them`,
    );
  return { width, height, size: { width, height }, channels, data, scale: [1, 1], shift: [0, 0] };
}

function setImage(frame, image) {
  Object.assign(frame, { width: image.width, height: image.height, channels: image.channels, data: image.data });
}

function decodeColor(frame, color) {
  const { width, height, channels: step, data } = frame;
  const channels = color === 'gray' ? 1 : 3;
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i += 1) {
    const [r, g, b] = [data[i * step], data[i * step + 1], data[i * step + 2]];
    if (color === 'gray') out[i] = (r * 19_595 + g * 38_470 + b * 7_471 + 32_768) >> 16;
    else if (color === 'rgb') out.set([r, g, b], i * 3);
    else if (color === 'bgr') out.set([b, g, r], i * 3);
    else throw new BundleError(`metadata.json: colour order ${color} is not known to this wrapper`);
  }
  setImage(frame, { width, height, channels, data: out });
}

/** Cuts and pads so that the old (0, 0) lies at (top, left) of a height × width picture. */
function place(frame, height, width, top, left, padValue) {
  const { channels, data } = frame;
  const given = Array.isArray(padValue) ? padValue : [padValue];
  const fill = given.length === channels ? given : Array.from({ length: channels }, () => given[0]);
  const out = new Float64Array(height * width * channels);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [sx, sy] = [x - left, y - top];
      const inside = sx >= 0 && sy >= 0 && sx < frame.width && sy < frame.height;
      const from = (sy * frame.width + sx) * channels;
      for (let c = 0; c < channels; c += 1) out[(y * width + x) * channels + c] = inside ? data[from + c] : fill[c];
    }
  }
  setImage(frame, { width, height, channels, data: out });
  frame.shift = [frame.shift[0] + left, frame.shift[1] + top];
}

function pairOf(size) {
  return Array.isArray(size) ? size : [size, size];
}

function resizeOp(frame, op) {
  const { width: w, height: h } = frame;
  const [targetH, targetW] = pairOf(op.size);
  let [newH, newW] = [targetH, targetW];
  const mode = op.mode ?? 'stretch';
  if (mode === 'letterbox') {
    const uniform = Math.min(targetW / w, targetH / h, op.scaleUp === false ? 1 : Infinity);
    [newH, newW] = [Math.max(halfToEven(h * uniform), 1), Math.max(halfToEven(w * uniform), 1)];
  } else if (mode === 'shorter-edge' || mode === 'longer-edge') {
    const edge = mode === 'shorter-edge' ? Math.min(h, w) : Math.max(h, w);
    const half = mode === 'shorter-edge' ? 0 : 0.5;
    newH = Math.max(Math.floor((targetH * h) / edge + half), 1);
    newW = Math.max(Math.floor((targetH * w) / edge + half), 1);
  } else if (mode !== 'stretch') {
    throw new BundleError(`metadata.json: resize mode ${mode} is not known to this wrapper`);
  }
  const whole = (op.round ?? 'uint8') === 'uint8';
  setImage(frame, resize(frame, newH, newW, op.interpolation ?? 'bilinear', op.antialias ?? false, whole));
  const ratio = [newW / w, newH / h];
  frame.scale = [frame.scale[0] * ratio[0], frame.scale[1] * ratio[1]];
  frame.shift = [frame.shift[0] * ratio[0], frame.shift[1] * ratio[1]];
  if (mode !== 'letterbox') return;
  const part = (op.align ?? 'center') === 'center' ? 0.5 : 0;
  const [top, left] = [Math.floor((targetH - newH) * part), Math.floor((targetW - newW) * part)];
  place(frame, targetH, targetW, top, left, op.padValue ?? 0);
}

function cropOp(frame, op) {
  const [height, width] = pairOf(op.size);
  const offset = (have, want) => (have >= want ? -halfToEven((have - want) / 2) : Math.floor((want - have) / 2));
  place(frame, height, width, offset(frame.height, height), offset(frame.width, width), op.padValue ?? 0);
}

function padOp(frame, op) {
  const { width: w, height: h } = frame;
  let [height, width] = pairOf(op.to ?? 0);
  if (op.to === undefined) {
    const [stepH, stepW] = pairOf(op.multipleOf);
    [height, width] = [Math.ceil(h / stepH) * stepH, Math.ceil(w / stepW) * stepW];
  }
  const part = (op.align ?? 'top-left') === 'center' ? 0.5 : 0;
  const [top, left] = [Math.floor((height - h) * part), Math.floor((width - w) * part)];
  place(frame, height, width, top, left, op.padValue ?? 0);
}

function eachValue(frame, change) {
  const { channels } = frame;
  frame.data = Float64Array.from(frame.data, (value, i) => change(value, i % channels));
}

const ARRAYS = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int8: Int8Array, int32: Int32Array };

function prepare(metadata, picture) {
  const frame = newFrame(picture);
  let layout = 'NHWC';
  for (const op of metadata.preprocess) {
    if (op.op === 'decode') decodeColor(frame, op.color ?? 'rgb');
    else if (op.op === 'resize') resizeOp(frame, op);
    else if (op.op === 'crop') cropOp(frame, op);
    else if (op.op === 'pad') padOp(frame, op);
    else if (op.op === 'rescale') eachValue(frame, (value) => value * op.factor);
    else if (op.op === 'normalize')
      eachValue(frame, (value, c) => (value - op.mean[c % op.mean.length]) / op.std[c % op.std.length]);
    else if (op.op === 'transpose') layout = op.layout;
    else if (op.op !== 'cast') throw new BundleError(`metadata.json: operation ${op.op} is not known to this wrapper`);
  }
  const { width, height, channels } = frame;
  const dtype = metadata.inputs[0].dtype;
  const Kind = dtype === 'float16' ? globalThis.Float16Array : ARRAYS[dtype];
  if (Kind === undefined) throw new BundleError(`an input of ${dtype} cannot be made here; use runtime/python`);
  if (layout !== 'NCHW') return { frame, dtype, data: Kind.from(frame.data), dims: [1, height, width, channels] };
  const data = new Kind(frame.data.length);
  const plane = width * height;
  for (let i = 0; i < plane; i += 1)
    for (let c = 0; c < channels; c += 1) data[c * plane + i] = frame.data[i * channels + c];
  return { frame, dtype, data, dims: [1, channels, height, width] };
}

// --- after the model ----------------------------------------------------------------------------------------------------------------

function finish(metadata, outputs, frame) {
  const state = { metadata, frame, outputs: outputs.map(plainTensor), back: false };
  for (const op of metadata.postprocess) applyPost(state, op);
  const { width, height } = frame.size;
  if (state.found !== undefined) return { width, height, instances: instanceLines(state) };
  if (state.mask !== undefined) return { width, height, mask: state.back ? maskBack(state) : state.mask };
  return { width, height, classes: ranking(state) };
}

/** Numbers, whatever the runtime gave (int64 comes as BigInt). */
function plainTensor({ data, dims }) {
  const numbers =
    data instanceof BigInt64Array || data instanceof BigUint64Array ? Float64Array.from(data, Number) : data;
  return { data: numbers, dims: [...dims] };
}

function applyPost(state, op) {
  if (op.op === 'softmax') state.outputs[0] = softmax(state.outputs[0], op.axis ?? 1);
  else if (op.op === 'sigmoid')
    state.outputs[0] = { ...state.outputs[0], data: Float64Array.from(state.outputs[0].data, sigmoid) };
  else if (op.op === 'decode') decode(state, op);
  else if (op.op === 'threshold') {
    if (state.found !== undefined) state.found = state.found.filter((item) => item.score >= op.score);
    else state.classes = ranking(state).filter((entry) => entry.score >= op.score);
  } else if (op.op === 'nms') state.found = nms(instancesOf(state), op);
  else if (op.op === 'topk') {
    if (state.found !== undefined) state.found = ranked(state.found).slice(0, op.k);
    else state.classes = ranking(state).slice(0, op.k);
  } else if (op.op === 'upsample') upsample(state, op);
  else if (op.op === 'argmax') state.mask = argmax(state.outputs[0], op.axis ?? 1);
  else if (op.op === 'mask-assemble') {
    const limit = op.threshold ?? 0.5;
    state.maskLimit = limit <= 0 ? 0 : Math.log(limit / (1 - limit));
  } else if (op.op === 'scale-back') state.back = true;
  else throw new BundleError(`metadata.json: operation ${op.op} is not known to this wrapper`);
}

function instancesOf(state) {
  if (state.found === undefined) throw new BundleError('metadata.json: decode must come before nms and the like');
  return state.found;
}

function sigmoid(value) {
  const power = Math.exp(-Math.abs(value));
  return value >= 0 ? 1 / (1 + power) : power / (1 + power);
}

function softmax({ data, dims }, axis) {
  const at = axis < 0 ? dims.length + axis : axis;
  const count = dims[at];
  const inner = dims.slice(at + 1).reduce((product, size) => product * size, 1);
  const out = new Float64Array(data.length);
  for (let base = 0; base < data.length; base += count * inner) {
    for (let i = base; i < base + inner; i += 1) {
      let [most, sum] = [-Infinity, 0];
      for (let k = 0; k < count; k += 1) most = Math.max(most, data[i + k * inner]);
      for (let k = 0; k < count; k += 1) sum += out[i + k * inner] = Math.exp(data[i + k * inner] - most);
      for (let k = 0; k < count; k += 1) out[i + k * inner] /= sum;
    }
  }
  return { data: out, dims };
}

/** Best first; equals keep their order. */
function ranked(found) {
  return found.toSorted((a, b) => b.score - a.score);
}

function ranking(state) {
  if (state.classes !== undefined) return state.classes;
  const { data } = state.scores ?? state.outputs[0];
  state.classes = ranked(Array.from(data, (score, index) => ({ class: index, score })));
  return state.classes;
}

function decode(state, op) {
  const [first] = state.outputs;
  if (op.scheme === 'logits') state.scores = softmax(first, -1);
  else if (op.scheme === 'probs') state.scores = first;
  else if (op.scheme === 'yolo-end2end') state.found = decodeEnd2end(state, op);
  else if (op.scheme === 'detr') state.found = decodeDetr(state, op);
  else if (op.scheme === 'detr-concat') {
    const width = first.dims[2];
    state.found = rowsOf(first, first.dims[1], (row, k) => row * width + k, width).map((row) =>
      bestClass(fromUnit(state, row), row.subarray(4)),
    );
  } else if (op.scheme.startsWith('yolo-')) state.found = decodeYolo(state, op);
  else if (op.scheme !== 'semantic-logits')
    throw new BundleError(`metadata.json: decode scheme ${op.scheme} is not known to this wrapper`);
}

function rowsOf({ data }, rows, at, width) {
  return Array.from({ length: rows }, (_, row) =>
    Float64Array.from({ length: width }, (_value, k) => data[at(row, k)]),
  );
}

function cornersOfCentre([x, y, w, h]) {
  return [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
}

function fromUnit({ frame }, [x, y, w, h]) {
  return cornersOfCentre([x * frame.width, y * frame.height, w * frame.width, h * frame.height]);
}

function bestClass(box, scores) {
  let best = 0;
  for (let k = 1; k < scores.length; k += 1) if (scores[k] > scores[best]) best = k;
  return { class: best, score: scores[best], box };
}

/** K × D numbers to K points; a point without visibility counts as sure. */
function pointsOf(rest, shape) {
  const [count, size] = Array.isArray(shape) ? shape : [Math.floor(rest.length / 3), 3];
  return Array.from({ length: count }, (_, k) => [
    rest[k * size],
    rest[k * size + 1],
    size === 3 ? rest[k * size + 2] : 1,
  ]);
}

function decodeYolo({ metadata, outputs }, op) {
  const [, width, count] = outputs[0].dims;
  const classes = op.classes ?? metadata.labels.length;
  return rowsOf(outputs[0], count, (row, k) => k * count + row, width).map((row) => {
    const item = bestClass(cornersOfCentre(row), row.subarray(4, 4 + classes));
    const rest = row.subarray(4 + classes);
    if (op.scheme === 'yolo-seg-raw') item.coefficients = rest;
    else if (op.scheme === 'yolo-pose-raw') item.keypoints = pointsOf(rest, op.keypoints);
    else if (op.scheme === 'yolo-obb-raw') item.rotated = [...row.subarray(0, 4), rest[0]];
    else if (op.scheme !== 'yolo-raw')
      throw new BundleError(`metadata.json: decode scheme ${op.scheme} is not known to this wrapper`);
    return item;
  });
}

function decodeEnd2end({ metadata, outputs }, op) {
  const [, count, width] = outputs[0].dims;
  return rowsOf(outputs[0], count, (row, k) => row * width + k, width).map((row) => {
    const rest = row.subarray(6);
    const turned = metadata.model.task === 'obb' && rest.length > 0;
    const box = turned ? cornersOfCentre(row) : [...row.subarray(0, 4)];
    const item = { class: Math.floor(row[5] + 0.5), score: row[4], box };
    if (turned) item.rotated = [...row.subarray(0, 4), rest[0]];
    else if (rest.length > 0 && outputs.length > 1) item.coefficients = rest;
    else if (rest.length > 0) item.keypoints = pointsOf(rest, op.keypoints);
    return item;
  });
}

function decodeDetr(state, op) {
  const { metadata, outputs } = state;
  const named = metadata.outputs.findIndex((output) => output.name.includes('box'));
  const second = named < 0 ? 1 : named;
  const info = metadata.outputs[1 - second];
  const logits = outputs[1 - second];
  const [, queries, width] = logits.dims;
  const boxes = rowsOf(outputs[second], queries, (row, k) => row * 4 + k, 4).map((row) => fromUnit(state, row));
  const kept = (info.background ?? op.background ?? false) ? width - 1 : width;
  if ((info.activation ?? op.activation ?? 'sigmoid') === 'softmax') {
    const scores = softmax(logits, -1);
    return boxes.map((box, row) => bestClass(box, scores.data.subarray(row * width, row * width + kept)));
  }
  // A query may speak for several classes: the best pairs, as many as there are queries.
  const pairs = boxes.flatMap((box, row) =>
    Array.from({ length: kept }, (_, k) => ({ class: k, score: sigmoid(logits.data[row * width + k]), box })),
  );
  return ranked(pairs).slice(0, queries);
}

function iou(a, b) {
  const shared =
    Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0) * Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
  const area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return area > 0 ? shared / area : 0;
}

/** Likeness of two rotated boxes seen as Gaussians (1 − Hellinger distance). */
function probiou(one, two) {
  const spread = ([, , width, height, angle]) => {
    const [w, h, cos, sin] = [width ** 2 / 12, height ** 2 / 12, Math.cos(angle), Math.sin(angle)];
    return [w * cos ** 2 + h * sin ** 2, w * sin ** 2 + h * cos ** 2, (w - h) * cos * sin];
  };
  const tiny = 1e-7;
  const [[a1, b1, c1], [a2, b2, c2]] = [spread(one), spread(two)];
  const [dx, dy] = [two[0] - one[0], one[1] - two[1]];
  const det = (a1 + a2) * (b1 + b2) - (c1 + c2) ** 2;
  const near =
    (((a1 + a2) * dy ** 2 + (b1 + b2) * dx ** 2) / (det + tiny)) * 0.25 + (((c1 + c2) * dx * dy) / (det + tiny)) * 0.5;
  const own = Math.sqrt(Math.max(a1 * b1 - c1 ** 2, 0) * Math.max(a2 * b2 - c2 ** 2, 0));
  const distance = clamp(near + Math.log(det / (4 * own + tiny) + tiny) * 0.5, tiny, 100);
  return 1 - Math.sqrt(1 - Math.exp(-distance) + tiny);
}

function nms(found, op) {
  const rotated = (op.metric ?? 'iou') === 'probiou';
  if (rotated && found.some((item) => item.rotated === undefined))
    throw new BundleError('metadata.json: nms with metric probiou needs rotated boxes');
  const most = op.maxDetections ?? 300;
  const kept = [];
  const seen = [];
  for (const item of ranked(found)) {
    if (kept.length >= most) break;
    // With iou a hidden box hides no other; with probiou it does (fast NMS).
    const hidden = (rotated ? seen : kept).some((better) => {
      if (op.classAgnostic !== true && better.class !== item.class) return false;
      return (rotated ? probiou(better.rotated, item.rotated) : iou(better.box, item.box)) > op.iou;
    });
    if (!hidden) kept.push(item);
    seen.push(item);
  }
  return kept;
}

/** Where pixel i of `size` falls between the cells of `source`: lower cell, upper cell, part of the upper. */
function between(i, size, source, corners) {
  const raw = corners ? (size > 1 ? i * ((source - 1) / (size - 1)) : 0) : (i + 0.5) * (source / size) - 0.5;
  return cells(raw, source);
}

function cells(raw, source) {
  const at = clamp(raw, 0, source - 1);
  const low = Math.floor(at);
  return [low, Math.min(low + 1, source - 1), at - low];
}

function upsample(state, op) {
  const { data, dims } = state.outputs[0];
  const [, channels, h, w] = dims;
  const { width, height } = op.to === 'image' ? state.frame.size : state.frame;
  const out = new Float64Array(channels * height * width);
  const nearest = (op.interpolation ?? 'bilinear') === 'nearest';
  const look = (size, source) =>
    Array.from({ length: size }, (_, i) => {
      if (!nearest) return between(i, size, source, op.alignCorners ?? false);
      const at = clamp(Math.floor((i + 0.5) * (source / size)), 0, source - 1);
      return [at, at, 0];
    });
  const [across, down] = [look(width, w), look(height, h)];
  for (let c = 0; c < channels; c += 1) {
    for (let y = 0; y < height; y += 1) {
      const [y0, y1, py] = down[y];
      const [top, bottom] = [(c * h + y0) * w, (c * h + y1) * w];
      for (let x = 0; x < width; x += 1) {
        const [x0, x1, px] = across[x];
        const upper = data[top + x0] * (1 - px) + data[top + x1] * px;
        const lower = data[bottom + x0] * (1 - px) + data[bottom + x1] * px;
        out[(c * height + y) * width + x] = upper * (1 - py) + lower * py;
      }
    }
  }
  state.outputs[0] = { data: out, dims: [1, channels, height, width] };
}

/** The index of the largest value along `axis` of [1, C, h, w] or [1, h, w, C]. */
function argmax({ data, dims }, axis) {
  const at = axis < 0 ? dims.length + axis : axis;
  const count = dims[at];
  const [height, width] = dims.filter((_, i) => i !== 0 && i !== at);
  const [step, across] = at === 1 ? [height * width, 1] : [1, count];
  const out = new Uint8Array(height * width);
  for (let i = 0; i < out.length; i += 1) {
    let best = 0;
    for (let k = 1; k < count; k += 1) if (data[i * across + k * step] > data[i * across + best * step]) best = k;
    out[i] = best;
  }
  return { width, height, data: out };
}

function maskBack({ mask, frame }) {
  const { width, height } = frame.size;
  // Already of the image's size (upsample to image).
  if (mask.width === width && mask.height === height && (frame.width !== width || frame.height !== height)) return mask;
  const look = (axis, size, cellCount, side) =>
    Int32Array.from({ length: size }, (_, i) => {
      const at = ((i + 0.5) * frame.scale[axis] + frame.shift[axis]) * (cellCount / side);
      return clamp(Math.floor(at), 0, cellCount - 1);
    });
  const across = look(0, width, mask.width, frame.width);
  const down = look(1, height, mask.height, frame.height);
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) data[y * width + x] = mask.data[down[y] * mask.width + across[x]];
  return { width, height, data };
}

function rotatedCorners([x, y, w, h, angle]) {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [ux, uy, vx, vy] = [(w / 2) * cos, (w / 2) * sin, (-h / 2) * sin, (h / 2) * cos];
  return [
    [x + ux + vx, y + uy + vy],
    [x + ux - vx, y + uy - vy],
    [x - ux - vx, y - uy - vy],
    [x - ux + vx, y - uy + vy],
  ];
}

function instanceLines(state) {
  const { frame, back } = state;
  const [scale, shift] = back
    ? [frame.scale, frame.shift]
    : [
        [1, 1],
        [0, 0],
      ];
  const size = back ? frame.size : frame;
  const keep = ([x, y]) => (back ? [clamp(x, 0, size.width), clamp(y, 0, size.height)] : [x, y]);
  const moved = ([x, y]) => [(x - shift[0]) / scale[0], (y - shift[1]) / scale[1]];
  const prototypes = state.maskLimit === undefined ? undefined : state.outputs[1];
  return ranked(instancesOf(state)).map((item) => {
    const line = { class: item.class, score: item.score };
    let corners = [moved(item.box.slice(0, 2)), moved(item.box.slice(2))];
    if (item.rotated !== undefined) {
      line.obb = rotatedCorners(item.rotated).map(moved);
      const [xs, ys] = [line.obb.map(([x]) => x), line.obb.map(([, y]) => y)];
      corners = [
        [Math.min(...xs), Math.min(...ys)],
        [Math.max(...xs), Math.max(...ys)],
      ];
    }
    line.box = corners.flatMap(keep);
    if (item.keypoints !== undefined)
      line.keypoints = item.keypoints.map(([x, y, sure]) => [...keep(moved([x, y])), sure]);
    if (item.coefficients !== undefined && prototypes !== undefined)
      line.mask = {
        rle: assemble(item.coefficients, line.box, prototypes, {
          scale,
          shift,
          size,
          input: frame,
          limit: state.maskLimit,
        }),
      };
    return line;
  });
}

/** The prototypes weighed, looked up between their four neighbours at every pixel whose centre lies in the box; as run lengths. */
function assemble(coefficients, box, { data, dims }, { scale, shift, size, input, limit }) {
  const [, count, h, w] = dims;
  const rough = new Float64Array(h * w);
  for (let m = 0; m < count; m += 1)
    for (let i = 0; i < rough.length; i += 1) rough[i] += coefficients[m] * data[m * rough.length + i];
  const span = (axis, length, cellCount, side) => {
    const first = Math.max(Math.ceil(box[axis] - 0.5), 0);
    const last = Math.min(Math.ceil(box[axis + 2] - 0.5), length);
    return Array.from({ length: Math.max(last - first, 0) }, (_, k) => {
      const at = ((first + k + 0.5) * scale[axis] + shift[axis]) * (cellCount / side) - 0.5;
      return [first + k, ...cells(at, cellCount)];
    });
  };
  const mask = new Uint8Array(size.width * size.height);
  const columns = span(0, size.width, w, input.width);
  for (const [y, y0, y1, py] of span(1, size.height, h, input.height)) {
    for (const [x, x0, x1, px] of columns) {
      const upper = rough[y0 * w + x0] * (1 - px) + rough[y0 * w + x1] * px;
      const lower = rough[y1 * w + x0] * (1 - px) + rough[y1 * w + x1] * px;
      if (upper * (1 - py) + lower * py > limit) mask[y * size.width + x] = 1;
    }
  }
  return encodeRle({ width: size.width, height: size.height, data: mask });
}

/** COCO run lengths down the columns, background first. */
export function encodeRle({ width, height, data }) {
  const counts = [];
  let [last, run] = [0, 0];
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1) {
      const value = data[y * width + x] === 0 ? 0 : 1;
      if (value !== last) {
        counts.push(run);
        [last, run] = [value, 0];
      }
      run += 1;
    }
  }
  counts.push(run);
  return { size: [height, width], counts };
}

export function decodeRle({ size, counts }) {
  const [height, width] = size;
  const data = new Uint8Array(width * height);
  let at = 0;
  counts.forEach((run, i) => {
    if (i % 2 === 1) for (let k = at; k < at + run; k += 1) data[(k % height) * width + Math.floor(k / height)] = 1;
    at += run;
  });
  return { width, height, data };
}
