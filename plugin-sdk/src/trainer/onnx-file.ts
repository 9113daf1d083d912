import { packedVarints, readFields } from './protobuf.ts';

/** A small reader of ONNX files: what a model takes and gives, its operators, its metadata, its weights. Runs nothing. */

export interface OnnxTensorInfo {
  readonly name: string;
  readonly dtype: string;
  /** Symbolic sides as text, unknown ones as "?". */
  readonly shape: readonly (number | string)[];
}

export interface OnnxTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Little-endian bytes; empty when the data lies in another file. */
  readonly data: Uint8Array;
  /** Path of the file that holds the data, relative to the model. */
  readonly external: string | null;
}

export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, number | string | readonly number[]>;
}

export interface OnnxFile {
  readonly irVersion: number;
  readonly producer: string;
  /** Operator set version by domain; '' is the standard one. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly inputs: readonly OnnxTensorInfo[];
  readonly outputs: readonly OnnxTensorInfo[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly nodes: readonly OnnxNode[];
  /** Operators used anywhere, inner graphs included, sorted, without repeats; `domain.Op` outside the standard domain. */
  readonly opTypes: readonly string[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** Files beside the model that it needs, sorted. */
  readonly externalFiles: readonly string[];
}

const DTYPES: Readonly<Record<number, string>> = {
  ...{ 1: 'float32', 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 6: 'int32', 7: 'int64', 8: 'string', 9: 'bool' },
  ...{ 10: 'float16', 11: 'float64', 12: 'uint32', 13: 'uint64', 16: 'bfloat16' },
};
const DEEPEST = 16;

interface Graph {
  readonly nodes: OnnxNode[];
  readonly initializers: Map<string, OnnxTensor>;
  readonly inputs: OnnxTensorInfo[];
  readonly outputs: OnnxTensorInfo[];
}

interface Found {
  readonly ops: Set<string>;
  readonly files: Set<string>;
}

/** Throws an Error with one sentence when the bytes are no ONNX model. */
export function readOnnx(bytes: Uint8Array): OnnxFile {
  const found: Found = { ops: new Set(), files: new Set() };
  const opsets = new Map<string, number>();
  const metadata = new Map<string, string>();
  let irVersion = 0;
  let producer = '';
  let graph: Graph | null = null;
  for (const { number, value } of readFields(bytes)) {
    if (typeof value === 'number') {
      if (number === 1) irVersion = value;
      continue;
    }
    if (number === 2) producer = textOf(value);
    else if (number === 7) graph = readGraph(value, found, 0);
    else if (number === 8) {
      const [domain, version] = pairOf(value);
      opsets.set(domain, Number(version));
    } else if (number === 14) metadata.set(...pairOf(value));
    else if (number === 25) readFunction(value, found);
  }
  if (graph === null || irVersion === 0) throw new Error('This is not an ONNX model.');
  const { nodes, initializers, outputs } = graph;
  const inputs = graph.inputs.filter((input) => !initializers.has(input.name));
  const [opTypes, externalFiles] = [[...found.ops].sort(), [...found.files].sort()];
  return { irVersion, producer, opsets, inputs, outputs, metadata, nodes, opTypes, initializers, externalFiles };
}

function textOf(value: number | Uint8Array): string {
  return typeof value === 'number' ? String(value) : Buffer.from(value).toString('utf8');
}

/** Fields 1 and 2 as text: key and value, or domain and version. */
function pairOf(bytes: Uint8Array): [string, string] {
  const pair: [string, string] = ['', ''];
  for (const { number, value } of readFields(bytes)) {
    if (number === 1 || number === 2) pair[number - 1] = textOf(value);
  }
  return pair;
}

function readGraph(bytes: Uint8Array, found: Found, depth: number): Graph {
  if (depth > DEEPEST) throw new Error('The graphs of the model are nested too deeply.');
  const graph: Graph = { nodes: [], initializers: new Map(), inputs: [], outputs: [] };
  for (const { number, value } of readFields(bytes)) {
    if (typeof value === 'number') continue;
    if (number === 1) graph.nodes.push(readNode(value, found, depth));
    else if (number === 5) {
      const tensor = readTensor(value, found);
      graph.initializers.set(tensor.name, tensor);
    } else if (number === 11) graph.inputs.push(readValueInfo(value));
    else if (number === 12) graph.outputs.push(readValueInfo(value));
    else if (number === 15) readSparse(value, found);
  }
  return graph;
}

function readFunction(bytes: Uint8Array, found: Found): void {
  for (const { number, value } of readFields(bytes)) {
    if (number === 7 && typeof value !== 'number') readNode(value, found, 1);
  }
}

function readSparse(bytes: Uint8Array, found: Found): void {
  for (const { value } of readFields(bytes)) if (typeof value !== 'number') readTensor(value, found);
}

function readNode(bytes: Uint8Array, found: Found, depth: number): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, number | string | readonly number[]>();
  let [name, op, domain] = ['', '', ''];
  for (const { number, value } of readFields(bytes)) {
    if (typeof value === 'number') continue;
    if (number === 1) inputs.push(textOf(value));
    else if (number === 2) outputs.push(textOf(value));
    else if (number === 3) name = textOf(value);
    else if (number === 4) op = textOf(value);
    else if (number === 5) readAttribute(value, attributes, found, depth);
    else if (number === 7) domain = textOf(value);
  }
  found.ops.add(domain === '' || domain === 'ai.onnx' ? op : `${domain}.${op}`);
  return { name, op, domain, inputs, outputs, attributes };
}

function readAttribute(
  bytes: Uint8Array,
  into: Map<string, number | string | readonly number[]>,
  found: Found,
  depth: number,
): void {
  let name = '';
  let single: number | string | null = null;
  const list: number[] = [];
  for (const { number, value, fixed32 } of readFields(bytes)) {
    if (number === 1) name = textOf(value);
    else if (number === 2) single = fixed32 ?? 0;
    else if (number === 3 && typeof value === 'number') single = value;
    else if (number === 4) single = textOf(value);
    else if ((number === 5 || number === 10) && typeof value !== 'number') readTensor(value, found);
    else if ((number === 6 || number === 11) && typeof value !== 'number') readGraph(value, found, depth + 1);
    else if (number === 7) list.push(...(typeof value === 'number' ? [fixed32 ?? 0] : floatsOf(value)));
    else if (number === 8) list.push(...(typeof value === 'number' ? [value] : packedVarints(value)));
  }
  if (list.length > 0) into.set(name, list);
  else if (single !== null) into.set(name, single);
}

function floatsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => view.getFloat32(index * 4, true));
}

function readTensor(bytes: Uint8Array, found: Found): OnnxTensor {
  const shape: number[] = [];
  let [name, dtype] = ['', 0];
  let data: Uint8Array = new Uint8Array(0);
  let external: string | null = null;
  let elsewhere = false;
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) shape.push(...(typeof value === 'number' ? [value] : packedVarints(value)));
    else if (number === 2 && typeof value === 'number') dtype = value;
    else if (number === 8) name = textOf(value);
    else if ((number === 4 || number === 9) && typeof value !== 'number') data = value;
    else if (number === 13 && typeof value !== 'number') {
      const [key, path] = pairOf(value);
      if (key === 'location') external = path;
    } else if (number === 14) elsewhere = value === 1;
  }
  if (external !== null || elsewhere) found.files.add(external ?? '?');
  return {
    name,
    dtype: DTYPES[dtype] ?? `type ${dtype}`,
    shape,
    data,
    external: elsewhere ? (external ?? '?') : external,
  };
}

function readValueInfo(bytes: Uint8Array): OnnxTensorInfo {
  let [name, dtype] = ['', 'other'];
  const shape: (number | string)[] = [];
  for (const { number, value } of readFields(bytes)) {
    if (typeof value === 'number') continue;
    if (number === 1) name = textOf(value);
    if (number !== 2) continue;
    for (const type of readFields(value)) {
      if (type.number !== 1 || typeof type.value === 'number') continue;
      for (const tensor of readFields(type.value)) {
        if (tensor.number === 1) dtype = DTYPES[Number(tensor.value)] ?? `type ${Number(tensor.value)}`;
        if (tensor.number === 2 && typeof tensor.value !== 'number') shape.push(...readShape(tensor.value));
      }
    }
  }
  return { name, dtype, shape };
}

function readShape(bytes: Uint8Array): (number | string)[] {
  const sides: (number | string)[] = [];
  for (const { number, value } of readFields(bytes)) {
    if (number !== 1 || typeof value === 'number') continue;
    let side: number | string = '?';
    for (const part of readFields(value)) {
      if (part.number === 1 && typeof part.value === 'number') side = part.value;
      else if (part.number === 2 && textOf(part.value) !== '') side = textOf(part.value);
    }
    sides.push(side);
  }
  return sides;
}
