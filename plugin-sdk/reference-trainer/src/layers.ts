/** Layers with their gradients, on plain typed arrays. One picture at a time; gradients add up until the optimiser clears them. */

export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly value: Float32Array;
  readonly gradient: Float32Array;
  /** Weight decay is for matrices, not for biases. */
  readonly decays: boolean;
}

export interface Layer {
  readonly kind: 'conv' | 'relu' | 'pool' | 'dense';
  readonly parameters: readonly Parameter[];
  /** The result stays valid until the next call. */
  forward(input: Float32Array): Float32Array;
  /**
   * Takes the gradient of the last forward's output, adds to the parameters' gradients and returns the gradient of its input. Without
   * `wantsInput` (first layer) the result is left as it was.
   */
  backward(gradient: Float32Array, wantsInput: boolean): Float32Array;
}

export function parameter(name: string, shape: readonly number[], draw: () => number): Parameter {
  const count = shape.reduce((product, side) => product * side, 1);
  const value = new Float32Array(count);
  for (let i = 0; i < count; i += 1) value[i] = draw();
  return { name, shape, value, gradient: new Float32Array(count), decays: shape.length > 1 };
}

/** y = W x + b, W as [outputs, inputs]. */
export class Dense implements Layer {
  readonly kind = 'dense';
  readonly parameters: readonly Parameter[];
  readonly #weight: Parameter;
  readonly #bias: Parameter;
  readonly #output: Float32Array;
  readonly #back: Float32Array;
  #input: Float32Array;

  constructor(weight: Parameter, bias: Parameter) {
    const [outputs = 0, inputs = 0] = weight.shape;
    this.#weight = weight;
    this.#bias = bias;
    this.parameters = [weight, bias];
    this.#output = new Float32Array(outputs);
    this.#back = new Float32Array(inputs);
    this.#input = new Float32Array(inputs);
  }

  forward(input: Float32Array): Float32Array {
    const { value } = this.#weight;
    const inputs = input.length;
    this.#input = input;
    for (let o = 0; o < this.#output.length; o += 1) {
      let sum = this.#bias.value[o] ?? 0;
      const row = o * inputs;
      for (let i = 0; i < inputs; i += 1) sum += (value[row + i] ?? 0) * (input[i] ?? 0);
      this.#output[o] = sum;
    }
    return this.#output;
  }

  backward(gradient: Float32Array): Float32Array {
    const { value, gradient: own } = this.#weight;
    const input = this.#input;
    const inputs = input.length;
    const bias = this.#bias.gradient;
    this.#back.fill(0);
    for (let o = 0; o < gradient.length; o += 1) {
      const g = gradient[o] ?? 0;
      if (g === 0) continue;
      bias[o] = (bias[o] ?? 0) + g;
      const row = o * inputs;
      for (let i = 0; i < inputs; i += 1) {
        own[row + i] = (own[row + i] ?? 0) + g * (input[i] ?? 0);
        this.#back[i] = (this.#back[i] ?? 0) + g * (value[row + i] ?? 0);
      }
    }
    return this.#back;
  }
}

/** Cuts off below zero. */
export class Relu implements Layer {
  readonly kind = 'relu';
  readonly parameters: readonly Parameter[] = [];
  readonly #output: Float32Array;
  readonly #back: Float32Array;

  constructor(size: number) {
    this.#output = new Float32Array(size);
    this.#back = new Float32Array(size);
  }

  forward(input: Float32Array): Float32Array {
    for (let i = 0; i < input.length; i += 1) this.#output[i] = Math.max(0, input[i] ?? 0);
    return this.#output;
  }

  backward(gradient: Float32Array): Float32Array {
    for (let i = 0; i < gradient.length; i += 1) this.#back[i] = (this.#output[i] ?? 0) > 0 ? (gradient[i] ?? 0) : 0;
    return this.#back;
  }
}

/** Largest of each 2 × 2 block; planes of even side. */
export class Pool implements Layer {
  readonly kind = 'pool';
  readonly parameters: readonly Parameter[] = [];
  readonly #channels: number;
  readonly #side: number;
  readonly #output: Float32Array;
  readonly #from: Int32Array;
  readonly #back: Float32Array;

  constructor(channels: number, side: number) {
    this.#channels = channels;
    this.#side = side;
    this.#output = new Float32Array((channels * side * side) / 4);
    this.#from = new Int32Array(this.#output.length);
    this.#back = new Float32Array(channels * side * side);
  }

  forward(input: Float32Array): Float32Array {
    const side = this.#side;
    let out = 0;
    for (let plane = 0; plane < this.#channels * side * side; plane += side * side) {
      for (let y = 0; y < side; y += 2) {
        for (let x = 0; x < side; x += 2) {
          const corner = plane + y * side + x;
          let from = corner;
          if ((input[corner + 1] ?? 0) > (input[from] ?? 0)) from = corner + 1;
          if ((input[corner + side] ?? 0) > (input[from] ?? 0)) from = corner + side;
          if ((input[corner + side + 1] ?? 0) > (input[from] ?? 0)) from = corner + side + 1;
          this.#from[out] = from;
          this.#output[out] = input[from] ?? 0;
          out += 1;
        }
      }
    }
    return this.#output;
  }

  backward(gradient: Float32Array): Float32Array {
    this.#back.fill(0);
    for (let i = 0; i < gradient.length; i += 1) this.#back[this.#from[i] ?? 0] = gradient[i] ?? 0;
    return this.#back;
  }
}
