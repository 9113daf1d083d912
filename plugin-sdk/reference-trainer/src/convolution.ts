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
  readonly #output: Float32Array;
  readonly #back: Float32Array;

  constructor(weight: Parameter, bias: Parameter, side: number) {
    const [outputs = 0, inputs = 0] = weight.shape;
    this.#weight = weight;
    this.#bias = bias;
    this.parameters = [weight, bias];
    this.#side = side;
    this.#padded = new Float32Array(inputs * (side + 2) * (side + 2));
    this.#paddedBack = new Float32Array(this.#padded.length);
    this.#output = new Float32Array(outputs * side * side);
    this.#back = new Float32Array(inputs * side * side);
  }

  forward(input: Float32Array): Float32Array {
    const side = this.#side;
    const wide = side + 2;
    const [outputs = 0, inputs = 0] = this.#weight.shape;
    this.#pad(input, inputs);
    const { value } = this.#weight;
    for (let o = 0; o < outputs; o += 1) {
      const plane = o * side * side;
      this.#output.fill(this.#bias.value[o] ?? 0, plane, plane + side * side);
      for (let i = 0; i < inputs; i += 1) {
        for (let tap = 0; tap < 9; tap += 1) {
          const w = value[(o * inputs + i) * 9 + tap] ?? 0;
          const start = i * wide * wide + Math.floor(tap / 3) * wide + (tap % 3);
          addScaled(this.#output, plane, side, this.#padded, start, wide, side, w);
        }
      }
    }
    return this.#output;
  }

  backward(gradient: Float32Array): Float32Array {
    const side = this.#side;
    const wide = side + 2;
    const [outputs = 0, inputs = 0] = this.#weight.shape;
    const { value, gradient: own } = this.#weight;
    const bias = this.#bias.gradient;
    this.#paddedBack.fill(0);
    for (let o = 0; o < outputs; o += 1) {
      const plane = o * side * side;
      let sum = 0;
      for (let at = plane; at < plane + side * side; at += 1) sum += gradient[at] ?? 0;
      bias[o] = (bias[o] ?? 0) + sum;
      for (let i = 0; i < inputs; i += 1) {
        for (let tap = 0; tap < 9; tap += 1) {
          const index = (o * inputs + i) * 9 + tap;
          const start = i * wide * wide + Math.floor(tap / 3) * wide + (tap % 3);
          own[index] = (own[index] ?? 0) + dot(gradient, plane, this.#padded, start, wide, side);
          addScaled(this.#paddedBack, start, wide, gradient, plane, side, side, value[index] ?? 0);
        }
      }
    }
    for (let i = 0; i < inputs; i += 1) {
      for (let y = 0; y < side; y += 1) {
        const from = i * wide * wide + (y + 1) * wide + 1;
        this.#back.set(this.#paddedBack.subarray(from, from + side), (i * side + y) * side);
      }
    }
    return this.#back;
  }

  #pad(input: Float32Array, inputs: number): void {
    const side = this.#side;
    const wide = side + 2;
    for (let i = 0; i < inputs; i += 1) {
      for (let y = 0; y < side; y += 1) {
        const from = (i * side + y) * side;
        this.#padded.set(input.subarray(from, from + side), i * wide * wide + (y + 1) * wide + 1);
      }
    }
  }
}

/** to[rows] += scale · from[rows], for `side` rows of `side` values with their own strides. */
function addScaled(
  to: Float32Array,
  toStart: number,
  toStride: number,
  from: Float32Array,
  fromStart: number,
  fromStride: number,
  side: number,
  scale: number,
): void {
  for (let y = 0; y < side; y += 1) {
    const a = toStart + y * toStride;
    const b = fromStart + y * fromStride;
    for (let x = 0; x < side; x += 1) to[a + x] = (to[a + x] ?? 0) + scale * (from[b + x] ?? 0);
  }
}

function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number, bStride: number, side: number): number {
  let sum = 0;
  for (let y = 0; y < side; y += 1) {
    const i = aStart + y * side;
    const j = bStart + y * bStride;
    for (let x = 0; x < side; x += 1) sum += (a[i + x] ?? 0) * (b[j + x] ?? 0);
  }
  return sum;
}
