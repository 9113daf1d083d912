import type { Parameter } from './layers.ts';
import { InputError, type Tensor } from './trainer_sdk/index.ts';

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** Adam with decoupled weight decay. `step` uses and clears the gradients. */
export class Adam {
  readonly weightDecay: number;
  readonly #parameters: readonly Parameter[];
  readonly #first: Float32Array[];
  readonly #second: Float32Array[];
  #count = 0;

  constructor(parameters: readonly Parameter[], weightDecay: number) {
    this.weightDecay = weightDecay;
    this.#parameters = parameters;
    this.#first = parameters.map((item) => new Float32Array(item.value.length));
    this.#second = parameters.map((item) => new Float32Array(item.value.length));
  }

  step(rate: number, scale: number): void {
    this.#count += 1;
    const size = (rate * Math.sqrt(1 - BETA2 ** this.#count)) / (1 - BETA1 ** this.#count);
    for (const [at, { value, gradient, decays }] of this.#parameters.entries()) {
      const first = this.#first[at];
      const second = this.#second[at];
      if (first === undefined || second === undefined) continue;
      const keep = decays ? 1 - rate * this.weightDecay : 1;
      for (let i = 0; i < value.length; i += 1) {
        const g = (gradient[i] ?? 0) * scale;
        const m = BETA1 * (first[i] ?? 0) + (1 - BETA1) * g;
        const v = BETA2 * (second[i] ?? 0) + (1 - BETA2) * g * g;
        first[i] = m;
        second[i] = v;
        value[i] = (value[i] ?? 0) * keep - (size * m) / (Math.sqrt(v) + EPSILON);
      }
      gradient.fill(0);
    }
  }

  get count(): number {
    return this.#count;
  }

  tensors(): Record<string, Tensor> {
    const entries = this.#parameters.flatMap(({ name, shape }, at) => [
      [`${name}.first`, { shape, data: this.#first[at] ?? new Float32Array(0) }] as const,
      [`${name}.second`, { shape, data: this.#second[at] ?? new Float32Array(0) }] as const,
    ]);
    return Object.fromEntries(entries);
  }

  load(tensors: ReadonlyMap<string, Tensor>, count: number): void {
    this.#count = count;
    for (const [at, { name }] of this.#parameters.entries()) {
      for (const [part, list] of [
        ['first', this.#first],
        ['second', this.#second],
      ] as const) {
        const tensor = tensors.get(`${name}.${part}`);
        if (tensor === undefined || tensor.data.length !== list[at]?.length) {
          throw new InputError(`The optimiser state of "${name}" does not fit.`, {
            code: 'input.checkpoint_incompatible',
            hint: 'Resume with the config that the checkpoint was made with.',
          });
        }
        list[at]?.set(tensor.data);
      }
    }
  }
}
