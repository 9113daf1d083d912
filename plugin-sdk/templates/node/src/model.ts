import { Random, toGrey, type Picture, type Tensor } from './trainer_sdk/index.ts';

/** Softmax regression: one weight per pixel and class. Replace this file with your own model. */
export class Model {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly classes: number;
  readonly pixels: number;

  constructor(classes: number, pixels: number) {
    this.classes = classes;
    this.pixels = pixels;
    this.weight = new Float32Array(classes * pixels);
    this.bias = new Float32Array(classes);
  }

  /** A chance for each class. */
  chances(input: Float32Array): Float64Array {
    const scores = new Float64Array(this.classes);
    for (let c = 0; c < this.classes; c += 1) {
      let sum = this.bias[c] ?? 0;
      for (let i = 0; i < this.pixels; i += 1) sum += (this.weight[c * this.pixels + i] ?? 0) * (input[i] ?? 0);
      scores[c] = sum;
    }
    const top = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - top));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  }

  /** One correction from one picture; returns its loss. */
  learn(input: Float32Array, label: number, rate: number): number {
    const chances = this.chances(input);
    for (let c = 0; c < this.classes; c += 1) {
      const step = rate * ((c === label ? 1 : 0) - (chances[c] ?? 0));
      this.bias[c] = (this.bias[c] ?? 0) + step;
      for (let i = 0; i < this.pixels; i += 1) {
        const at = c * this.pixels + i;
        this.weight[at] = (this.weight[at] ?? 0) + step * (input[i] ?? 0);
      }
    }
    return -Math.log(Math.max(1e-12, chances[label] ?? 0));
  }

  tensors(): Record<string, Tensor> {
    return {
      weight: { shape: [this.classes, this.pixels], data: this.weight },
      bias: { shape: [this.classes], data: this.bias },
    };
  }

  static from(tensors: ReadonlyMap<string, Tensor>): Model {
    const weight = tensors.get('weight');
    const model = new Model(weight?.shape[0] ?? 0, weight?.shape[1] ?? 0);
    model.weight.set(weight?.data ?? []);
    model.bias.set(tensors.get('bias')?.data ?? []);
    return model;
  }
}

/** Grey means of a grid of `side` × `side` cells, 0–1. */
export function toInput(picture: Picture, side: number): Float32Array {
  const grey = toGrey(picture);
  const { width, height } = picture;
  const edge = (index: number, size: number): number => Math.floor((index * size) / side);
  return Float32Array.from({ length: side * side }, (_, cell) => {
    const [cx, cy] = [cell % side, Math.floor(cell / side)];
    let [sum, count] = [0, 0];
    for (let y = edge(cy, height); y < Math.max(edge(cy, height) + 1, edge(cy + 1, height)); y += 1) {
      for (let x = edge(cx, width); x < Math.max(edge(cx, width) + 1, edge(cx + 1, width)); x += 1) {
        sum += grey[y * width + x] ?? 0;
        count += 1;
      }
    }
    return sum / count / 255;
  });
}

/** The same order for the same seed and epoch, so a resumed run goes on as if nothing had happened. */
export function shuffled(count: number, seed: number, epoch: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  new Random(seed * 1000 + epoch).shuffle(order);
  return order;
}
