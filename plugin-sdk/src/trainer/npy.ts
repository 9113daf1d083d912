/** NumPy's .npy files, version 1 to 3, C order: float32, float64, uint8, int32 and int64. Writing gives float32. */

export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

export function writeNpy({ shape, data }: NpyArray): Uint8Array {
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sides}), }`;
  const padding = 64 - ((10 + text.length + 1) % 64);
  const header = Buffer.from(`${text}${' '.repeat(padding % 64)}\n`, 'latin1');
  const start = Buffer.alloc(10);
  MAGIC.copy(start);
  start.set([1, 0], 6);
  start.writeUInt16LE(header.length, 8);
  const body = Buffer.alloc(data.length * 4);
  for (let i = 0; i < data.length; i += 1) body.writeFloatLE(data[i] ?? 0, i * 4);
  return Buffer.concat([start, header, body]);
}

/** Values as float32. Throws an Error with one sentence when the file is something else. */
export function readNpy(bytes: Uint8Array): NpyArray {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 12 || !buffer.subarray(0, 6).equals(MAGIC)) throw new Error('This is not a .npy file.');
  const wide = buffer.readUInt8(6) > 1;
  const from = wide ? 12 : 10;
  const length = wide ? buffer.readUInt32LE(8) : buffer.readUInt16LE(8);
  const text = buffer.toString('latin1', from, from + length);
  const kind = /'descr':\s*'([^']+)'/.exec(text)?.[1] ?? '';
  const sides = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
  if (sides === undefined || /'fortran_order':\s*True/.test(text)) throw new Error('The .npy file is not in C order.');
  const shape = sides
    .split(',')
    .map((side) => side.trim())
    .filter((side) => side !== '')
    .map(Number);
  const count = shape.reduce((product, side) => product * side, 1);
  const body = buffer.subarray(from + length);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const reader = READERS[kind];
  if (reader === undefined) throw new Error(`The .npy file holds values of type "${kind}", which is not supported.`);
  if (!Number.isSafeInteger(count) || view.byteLength < count * reader.size)
    throw new Error('The .npy file is cut off.');
  const data = new Float32Array(count);
  for (let i = 0; i < count; i += 1) data[i] = reader.read(view, i * reader.size);
  return { shape, data };
}

const READERS: Readonly<Record<string, { size: number; read(view: DataView, at: number): number }>> = {
  '<f4': { size: 4, read: (view, at) => view.getFloat32(at, true) },
  '<f8': { size: 8, read: (view, at) => view.getFloat64(at, true) },
  '|u1': { size: 1, read: (view, at) => view.getUint8(at) },
  '<i4': { size: 4, read: (view, at) => view.getInt32(at, true) },
  '<i8': { size: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
};
