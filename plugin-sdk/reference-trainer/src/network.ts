import { Convolution } from './convolution.ts';
import { Dense, Pool, Relu, parameter, type Layer, type Parameter } from './layers.ts';
import { InputError, Random, type Tensor } from './trainer_sdk/index.ts';

/** What a net is made of; enough to build it again. */
export interface NetShape {
  readonly model: string;
  /** Side of the grey input in pixels. */
  readonly side: number;
  readonly hidden: number;
  readonly classes: number;
}

/** Own size of a model, used when the config leaves image_size open. */
export const OWN_SIDE: Readonly<Record<string, number>> = { 'mlp-small': 16, 'conv-small': 32 };

const FIRST_PLANES = 8;
const SECOND_PLANES = 16;

/** A classifier of grey pictures. `forward` gives logits. One picture at a time, not re-entrant. */
export class Network {
  readonly shape: NetShape;
  readonly layers: readonly Layer[];
  readonly parameters: readonly Parameter[];

  constructor(shape: NetShape, seed: number) {
    const random = new Random(seed);
    const weight = (name: string, sides: readonly number[], inputs: number): Parameter =>
      parameter(`${name}.weight`, sides, () => random.normal() * Math.sqrt(2 / inputs));
    const bias = (name: string, size: number): Parameter => parameter(`${name}.bias`, [size], () => 0);
    const dense = (name: string, outputs: number, inputs: number): Dense =>
      new Dense(weight(name, [outputs, inputs], inputs), bias(name, outputs));
    const conv = (name: string, outputs: number, inputs: number, side: number): Convolution =>
      new Convolution(weight(name, [outputs, inputs, 3, 3], inputs * 9), bias(name, outputs), side);
    const { side, hidden, classes } = shape;
    const layers: Layer[] = [];
    let size = side * side;
    if (shape.model === 'conv-small') {
      const half = side / 2;
      layers.push(
        conv('conv1', FIRST_PLANES, 1, side),
        new Relu(FIRST_PLANES * side * side),
        new Pool(FIRST_PLANES, side),
      );
      layers.push(
        conv('conv2', SECOND_PLANES, FIRST_PLANES, half),
        new Relu(SECOND_PLANES * half * half),
        new Pool(SECOND_PLANES, half),
      );
      size = (SECOND_PLANES * half * half) / 4;
    }
    layers.push(dense('hidden', hidden, size), new Relu(hidden), dense('head', classes, hidden));
    this.shape = shape;
    this.layers = layers;
    this.parameters = layers.flatMap((layer) => layer.parameters);
  }

  forward(input: Float32Array): Float32Array {
    let values = input;
    for (const layer of this.layers) values = layer.forward(values);
    return values;
  }

  backward(gradient: Float32Array): void {
    let values = gradient;
    for (let at = this.layers.length - 1; at >= 0; at -= 1)
      values = this.layers[at]?.backward(values, at > 0) ?? values;
  }

  /** Copies tensors in; throws InputError when one is missing or has another shape. */
  load(tensors: ReadonlyMap<string, Tensor>): void {
    for (const { name, shape, value } of this.parameters) {
      const tensor = tensors.get(name);
      if (tensor === undefined || tensor.shape.join() !== shape.join()) {
        throw new InputError(`The tensor "${name}" of the weights does not fit: expected [${shape.join(', ')}].`, {
          code: 'input.checkpoint_incompatible',
          hint: 'Use weights of the same model, picture size, hidden size and number of classes.',
        });
      }
      value.set(tensor.data);
    }
  }

  tensors(): Record<string, Tensor> {
    return Object.fromEntries(this.parameters.map(({ name, shape, value }) => [name, { shape, data: value }]));
  }
}

export function softmax(logits: Float32Array): Float64Array {
  const top = logits.reduce((largest, value) => Math.max(largest, value), -Infinity);
  const result = Float64Array.from(logits, (value) => Math.exp(value - top));
  const sum = result.reduce((total, value) => total + value, 0);
  return result.map((value) => value / sum);
}
