import type { Layer, Parameter } from './layers.ts';

/** 3 × 3 convolution with a border of zeros; weight [outputs, inputs, 3, 3]. Planes are padded once, so the inner loops run without tests. */
export class Convolution implements Layer {
  readonly kind = 'conv';
  readonly parameters: readonly Parameter[];
  readonly #weight: Parameter;
  readonly #bias: Parameter;
  readonly #side: number;
  readonly #padded: Float32Array;
  readonly #paddedBack: Float32Array;
  readonly #turned = new Float32Array(9);
  readonly #output: Float32Array;
  readonly #back: Float32Array;

  constructor(weight: Parameter, bias: Parameter, side: number) {
    const [outputs = 0, inputs = 0] = weight.shape;
    this.#weight = weight;
    this.#bias = bias;
    this.parameters = [weight, bias];
    this.#side = side;
    this.#padded = new Float32Array(inputs * (side + 2) * (side + 2));
    this.#paddedBack = new Float32Array(outputs * (side + 2) * (side + 2));
    this.#output = new Float32Array(outputs * side * side);
    this.#back = new Float32Array(inputs * side * side);
  }

  forward(input: Float32Array): Float32Array {
    const side = this.#side;
    const wide = side + 2;
    const [outputs = 0, inputs = 0] = this.#weight.shape;
    fill(this.#padded, input, inputs, side);
    for (let o = 0; o < outputs; o += 1) {
      const plane = o * side * side;
      this.#output.fill(this.#bias.value[o] ?? 0, plane, plane + side * side);
      for (let i = 0; i < inputs; i += 1) {
        const taps = this.#weight.value.subarray((o * inputs + i) * 9, (o * inputs + i + 1) * 9);
        addFiltered(this.#output, plane, this.#padded, i * wide * wide, side, taps);
      }
    }
    return this.#output;
  }

  backward(gradient: Float32Array, wantsInput: boolean): Float32Array {
    const side = this.#side;
    const wide = side + 2;
    const [outputs = 0, inputs = 0] = this.#weight.shape;
    const bias = this.#bias.gradient;
    for (let o = 0; o < outputs; o += 1) {
      const plane = o * side * side;
      let sum = 0;
      for (let at = plane; at < plane + side * side; at += 1) sum += gradient[at] ?? 0;
      bias[o] = (bias[o] ?? 0) + sum;
      for (let i = 0; i < inputs; i += 1) {
        const taps = this.#weight.gradient.subarray((o * inputs + i) * 9, (o * inputs + i + 1) * 9);
        addCorrelation(taps, gradient, plane, this.#padded, i * wide * wide, side);
      }
    }
    if (!wantsInput) return this.#back;
    // The gradient of the input is the same filter turned by 180 degrees over the padded gradient of the output.
    fill(this.#paddedBack, gradient, outputs, side);
    this.#back.fill(0);
    for (let i = 0; i < inputs; i += 1) {
      for (let o = 0; o < outputs; o += 1) {
        const from = (o * inputs + i) * 9;
        for (let tap = 0; tap < 9; tap += 1) this.#turned[tap] = this.#weight.value[from + 8 - tap] ?? 0;
        addFiltered(this.#back, i * side * side, this.#paddedBack, o * wide * wide, side, this.#turned);
      }
    }
    return this.#back;
  }
}

/** Copies planes into the middle of planes that are two wider; their border stays zero. */
function fill(padded: Float32Array, planes: Float32Array, count: number, side: number): void {
  const wide = side + 2;
  for (let plane = 0; plane < count; plane += 1) {
    for (let y = 0; y < side; y += 1) {
      const from = (plane * side + y) * side;
      padded.set(planes.subarray(from, from + side), plane * wide * wide + (y + 1) * wide + 1);
    }
  }
}

/** to += the 3 x 3 filter `taps` over a padded plane. Unrolled: this is where the time goes. */
function addFiltered(
  to: Float32Array,
  toStart: number,
  padded: Float32Array,
  start: number,
  side: number,
  taps: Float32Array,
): void {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, k = 0] = taps;
  const wide = side + 2;
  for (let y = 0; y < side; y += 1) {
    const row = toStart + y * side;
    const top = start + y * wide;
    for (let x = 0; x < side; x += 1) {
      const p = top + x;
      const q = p + wide;
      const r = q + wide;
      to[row + x] =
        (to[row + x] ?? 0) +
        a * (padded[p] ?? 0) +
        b * (padded[p + 1] ?? 0) +
        c * (padded[p + 2] ?? 0) +
        d * (padded[q] ?? 0) +
        e * (padded[q + 1] ?? 0) +
        f * (padded[q + 2] ?? 0) +
        g * (padded[r] ?? 0) +
        h * (padded[r + 1] ?? 0) +
        k * (padded[r + 2] ?? 0);
    }
  }
}

/** taps += for each of the nine shifts, the product of a gradient plane with a padded plane. */
function addCorrelation(
  taps: Float32Array,
  gradient: Float32Array,
  from: number,
  padded: Float32Array,
  start: number,
  side: number,
): void {
  let [a, b, c, d, e, f, g, h, k] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  const wide = side + 2;
  for (let y = 0; y < side; y += 1) {
    const row = from + y * side;
    const top = start + y * wide;
    for (let x = 0; x < side; x += 1) {
      const value = gradient[row + x] ?? 0;
      if (value === 0) continue;
      const p = top + x;
      const q = p + wide;
      const r = q + wide;
      a += value * (padded[p] ?? 0);
      b += value * (padded[p + 1] ?? 0);
      c += value * (padded[p + 2] ?? 0);
      d += value * (padded[q] ?? 0);
      e += value * (padded[q + 1] ?? 0);
      f += value * (padded[q + 2] ?? 0);
      g += value * (padded[r] ?? 0);
      h += value * (padded[r + 1] ?? 0);
      k += value * (padded[r + 2] ?? 0);
    }
  }
  const sums = [a, b, c, d, e, f, g, h, k];
  for (const [tap, sum] of sums.entries()) taps[tap] = (taps[tap] ?? 0) + sum;
}
