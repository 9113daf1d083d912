import type { Layer } from './layers.ts';
import { Network } from './network.ts';
import { InputError, Message, readOnnx, type OnnxTensor, type Tensor } from './trainer_sdk/index.ts';

/** A net as an ONNX model (opset 17), and back. */

const IR_VERSION = 8;
const OPSET = 17;
const FLOAT = 1;
const INTS = 7;
const INT = 2;

export function writeOnnx(net: Network, dynamicBatch: boolean, metadata: Readonly<Record<string, string>>): Uint8Array {
  const graph = new Message();
  let current = 'image';
  for (const [at, layer] of net.layers.entries()) {
    const wide = layer.kind === 'dense' && net.layers.slice(0, at).every((earlier) => earlier.kind !== 'dense');
    if (wide) {
      graph.message(1, node('Flatten', [current], 'flat', [integer('axis', 1)]));
      current = 'flat';
    }
    const name = at === net.layers.length - 1 ? 'logits' : `value${at}`;
    graph.message(1, nodeOf(layer, current, name));
    current = name;
  }
  graph.text(2, net.shape.model);
  for (const { name, shape, value } of net.parameters) graph.message(5, initializer(name, shape, value));
  const batch = dynamicBatch ? 'batch' : 1;
  graph.message(11, valueInfo('image', [batch, 1, net.shape.side, net.shape.side]));
  graph.message(12, valueInfo('logits', [batch, net.shape.classes]));
  const model = new Message().int(1, IR_VERSION).text(2, 'trainyard-reference').message(7, graph);
  model.message(8, new Message().text(1, '').int(2, OPSET));
  for (const [key, value] of Object.entries(metadata)) model.message(14, new Message().text(1, key).text(2, value));
  return model.finish();
}

function nodeOf(layer: Layer, input: string, output: string): Message {
  const names = layer.parameters.map((item) => item.name);
  if (layer.kind === 'conv')
    return node('Conv', [input, ...names], output, [integers('kernel_shape', [3, 3]), integers('pads', [1, 1, 1, 1])]);
  if (layer.kind === 'pool')
    return node('MaxPool', [input], output, [integers('kernel_shape', [2, 2]), integers('strides', [2, 2])]);
  if (layer.kind === 'relu') return node('Relu', [input], output, []);
  return node('Gemm', [input, ...names], output, [integer('transB', 1)]);
}

function node(op: string, inputs: readonly string[], output: string, attributes: readonly Message[]): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  message.text(2, output).text(3, output).text(4, op);
  for (const attribute of attributes) message.message(5, attribute);
  return message;
}

function integer(name: string, value: number): Message {
  return new Message().text(1, name).int(3, value).int(20, INT);
}

function integers(name: string, values: readonly number[]): Message {
  const message = new Message().text(1, name);
  for (const value of values) message.int(8, value);
  return message.int(20, INTS);
}

function initializer(name: string, shape: readonly number[], data: Float32Array): Message {
  const message = new Message();
  for (const side of shape) message.int(1, side);
  const bytes = Buffer.alloc(data.length * 4);
  for (let i = 0; i < data.length; i += 1) bytes.writeFloatLE(data[i] ?? 0, i * 4);
  return message.int(2, FLOAT).text(8, name).bytes(9, bytes);
}

function valueInfo(name: string, sides: readonly (number | string)[]): Message {
  const shape = new Message();
  for (const side of sides)
    shape.message(1, typeof side === 'number' ? new Message().int(1, side) : new Message().text(2, side));
  const tensor = new Message().int(1, FLOAT).message(2, shape);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}

/** Reads a file that `writeOnnx` wrote. */
export function readModel(bytes: Uint8Array): { net: Network; labels: readonly string[] } {
  try {
    const file = readOnnx(bytes);
    const side = Number(file.inputs[0]?.shape[2]);
    const hidden = file.initializers.get('hidden.weight')?.shape[0] ?? 0;
    const classes = file.initializers.get('head.weight')?.shape[0] ?? 0;
    if (!(side > 0 && hidden > 0 && classes > 0)) throw new Error('It was not written by this trainer.');
    const model = file.opTypes.includes('Conv') ? 'conv-small' : 'mlp-small';
    const net = new Network({ model, side, hidden, classes }, 0);
    net.load(new Map([...file.initializers].map(([name, tensor]) => [name, toTensor(tensor)])));
    const labels: unknown = JSON.parse(file.metadata.get('labels') ?? '[]');
    return { net, labels: Array.isArray(labels) ? labels.map(String) : [] };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`The exported model cannot be read. ${why}`, {
      code: 'input.checkpoint_incompatible',
      hint: 'Use a model.onnx that this trainer exported.',
      cause,
    });
  }
}

function toTensor({ shape, data }: OnnxTensor): Tensor {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return {
    shape,
    data: Float32Array.from({ length: data.length / 4 }, (_, index) => view.getFloat32(index * 4, true)),
  };
}
