import { Message } from '../src/trainer/protobuf.ts';
import { Random } from '../src/trainer/random.ts';

/** ONNX files of one convolution for each output, with fixed weights: what they answer depends on the picture, in milliseconds. */

export interface TinyOutput {
  readonly name: string;
  readonly channels: number;
  /** Side of the patch that gives one cell; the cells do not overlap. */
  readonly patch: number;
  /** `map` [1, K, h, w], `columns` [1, K, N], `rows` [1, N, K], `vector` [1, K]. */
  readonly layout: 'map' | 'columns' | 'rows' | 'vector';
  /** Sigmoid, times scale, plus offset, for channel k of a cell whose centre lies at x, y (pixels of the input); absent = raw values. */
  readonly place?: (k: number, x: number, y: number) => readonly [scale: number, offset: number];
}

export interface TinyModel {
  readonly bytes: Uint8Array;
  readonly outputs: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
}

const FLOAT = 1;
const INT64 = 7;

export function tinyModel(
  seed: number,
  channels: number,
  [height, width]: readonly [number, number],
  outputs: readonly TinyOutput[],
): TinyModel {
  const random = new Random(seed);
  const graph = new Message();
  const tail = new Message();
  const infos: { name: string; dtype: string; shape: readonly number[] }[] = [];
  for (const output of outputs) {
    const { name, patch, channels: count } = output;
    const [h, w] = [Math.floor(height / patch), Math.floor(width / patch)];
    const shape = shapeOf(output, h, w);
    tail.message(5, floats(`${name}.weight`, [count, channels, patch, patch], weights(random, count, channels, patch)));
    tail.message(
      5,
      floats(
        `${name}.bias`,
        [count],
        Float32Array.from({ length: count }, () => random.next() * 3 - 2),
      ),
    );
    const attributes = [integers('kernel_shape', [patch, patch]), integers('strides', [patch, patch])];
    const steps = new Steps(graph, name);
    const last = output.layout === 'map';
    steps.add('Conv', ['image', `${name}.weight`, `${name}.bias`], attributes, last);
    if (output.layout === 'vector') {
      steps.add('GlobalAveragePool', [], []);
      tail.message(5, whole(`${name}.shape`, shape));
      steps.add('Reshape', [`${name}.shape`], [], true);
    } else if (!last) {
      tail.message(5, whole(`${name}.shape`, [1, count, h * w]));
      const turned = output.layout === 'rows';
      steps.add('Reshape', [`${name}.shape`], [], output.place === undefined && !turned);
      if (output.place !== undefined) {
        const { place } = output;
        const numbers = (part: 0 | 1): Float32Array =>
          Float32Array.from({ length: count * h * w }, (_, i) => {
            const [k, cell] = [Math.floor(i / (h * w)), i % (h * w)];
            return place(k, ((cell % w) + 0.5) * patch, (Math.floor(cell / w) + 0.5) * patch)[part];
          });
        tail.message(5, floats(`${name}.scale`, [1, count, h * w], numbers(0)));
        tail.message(5, floats(`${name}.offset`, [1, count, h * w], numbers(1)));
        steps.add('Sigmoid', [], []);
        steps.add('Mul', [`${name}.scale`], []);
        steps.add('Add', [`${name}.offset`], [], !turned);
      }
      if (turned) steps.add('Transpose', [], [integers('perm', [0, 2, 1])], true);
    }
    infos.push({ name, dtype: 'float32', shape });
  }
  graph.text(2, 'tiny');
  const body = Buffer.concat([graph.finish(), tail.finish()]);
  const ports = new Message().message(11, valueInfo('image', [1, channels, height, width]));
  for (const { name, shape } of infos) ports.message(12, valueInfo(name, shape));
  const model = new Message()
    .int(1, 8)
    .text(2, 'trainyard-tests')
    .bytes(7, Buffer.concat([body, ports.finish()]));
  model.message(8, new Message().text(1, '').int(2, 13));
  return { bytes: model.finish(), outputs: infos };
}

/** A chain of nodes that ends in a value with the output's name. */
class Steps {
  readonly #graph: Message;
  readonly #name: string;
  #current = '';
  #count = 0;

  constructor(graph: Message, name: string) {
    this.#graph = graph;
    this.#name = name;
  }

  add(op: string, inputs: readonly string[], attributes: readonly Message[], last = false): void {
    const result = last ? this.#name : `${this.#name}.${this.#count}`;
    const message = new Message();
    for (const input of op === 'Conv' ? inputs : [this.#current, ...inputs]) message.text(1, input);
    message.text(2, result).text(3, `${this.#name}.node${this.#count}`).text(4, op);
    for (const attribute of attributes) message.message(5, attribute);
    this.#graph.message(1, message);
    this.#current = result;
    this.#count += 1;
  }
}

function shapeOf({ layout, channels }: TinyOutput, h: number, w: number): readonly number[] {
  if (layout === 'map') return [1, channels, h, w];
  if (layout === 'vector') return [1, channels];
  return layout === 'columns' ? [1, channels, h * w] : [1, h * w, channels];
}

/** Each channel looks at the brightness of one colour and at a texture. */
function weights(random: Random, count: number, channels: number, patch: number): Float32Array {
  const area = patch * patch;
  const result = new Float32Array(count * channels * area);
  for (let i = 0; i < count * channels; i += 1) {
    const liking = (random.next() - 0.5) * 14;
    for (let k = 0; k < area; k += 1) result[i * area + k] = (liking + (random.next() - 0.5) * 30) / area;
  }
  return result;
}

function floats(name: string, shape: readonly number[], data: Float32Array): Message {
  const message = new Message();
  for (const side of shape) message.int(1, side);
  const bytes = Buffer.alloc(data.length * 4);
  data.forEach((value, i) => bytes.writeFloatLE(value, i * 4));
  return message.int(2, FLOAT).text(8, name).bytes(9, bytes);
}

function whole(name: string, values: readonly number[]): Message {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, i) => bytes.writeBigInt64LE(BigInt(value), i * 8));
  return new Message().int(1, values.length).int(2, INT64).text(8, name).bytes(9, bytes);
}

function integers(name: string, values: readonly number[]): Message {
  const message = new Message().text(1, name);
  for (const value of values) message.int(8, value);
  return message.int(20, 7);
}

function valueInfo(name: string, sides: readonly number[]): Message {
  const shape = new Message();
  for (const side of sides) shape.message(1, new Message().int(1, side));
  const tensor = new Message().int(1, FLOAT).message(2, shape);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
