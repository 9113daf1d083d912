import { isObject, listAt, textAt } from './json-value.ts';

/** safetensors files with float32 tensors. */

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function writeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const bytes = littleEndian(data);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(Buffer.byteLength(text) / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...parts]);
}

/** Throws an Error with one sentence when the file is cut off or holds something else. */
export function readSafetensors(bytes: Uint8Array): Map<string, Tensor> {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = data.length < 8 ? Infinity : Number(data.readBigUInt64LE(0));
  if (8 + length > data.length) throw new Error('The safetensors file is cut off.');
  const header: unknown = JSON.parse(data.toString('utf8', 8, 8 + length));
  if (!isObject(header)) throw new Error('The safetensors file has no header.');
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (textAt(entry, 'dtype') !== 'F32') throw new Error(`The tensor "${name}" is not float32.`);
    const shape = listAt(entry, 'shape').map(Number);
    const [from = NaN, to = NaN] = listAt(entry, 'data_offsets').map(Number);
    const count = shape.reduce((product, side) => product * side, 1);
    if (to - from !== count * 4 || from < 0 || 8 + length + to > data.length)
      throw new Error(`The tensor "${name}" is cut off.`);
    const values = new Float32Array(count);
    for (let i = 0; i < count; i += 1) values[i] = data.readFloatLE(8 + length + from + i * 4);
    tensors.set(name, { shape, data: values });
  }
  return tensors;
}

export function littleEndian(data: Float32Array): Uint8Array {
  const bytes = Buffer.alloc(data.length * 4);
  for (let i = 0; i < data.length; i += 1) bytes.writeFloatLE(data[i] ?? 0, i * 4);
  return bytes;
}
