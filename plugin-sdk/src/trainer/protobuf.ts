/** The wire format of Protocol Buffers, as much as ONNX files need. */

export interface Field {
  readonly number: number;
  /** Varint (as int64, exact up to 2^53) and fixed values as a number; length-delimited ones as bytes. */
  readonly value: number | Uint8Array;
  readonly fixed32?: number;
}

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Walks the fields of one message. Throws an Error when the bytes end early or are no message. */
export function* readFields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    const start = at;
    while (at < bytes.length && (bytes[at] ?? 0) >= 128) at += 1;
    at += 1;
    if (at > bytes.length) throw new Error('The file is cut off.');
    return varintValue(bytes.subarray(start, at));
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number < 1) throw new Error('The file is not in the expected format.');
    if (wire === WIRE.varint) yield { number, value: varint() };
    else if (wire === WIRE.bytes) {
      const length = varint();
      if (at + length > bytes.length) throw new Error('The file is cut off.');
      yield { number, value: bytes.subarray(at, at + length) };
      at += length;
    } else if (wire === WIRE.fixed32 || wire === WIRE.fixed64) {
      const length = wire === WIRE.fixed32 ? 4 : 8;
      if (at + length > bytes.length) throw new Error('The file is cut off.');
      yield wire === WIRE.fixed32
        ? { number, value: view.getUint32(at, true), fixed32: view.getFloat32(at, true) }
        : { number, value: view.getFloat64(at, true) };
      at += length;
    } else throw new Error('The file is not in the expected format.');
  }
}

/** Numbers packed one after the other. */
export function packedVarints(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if ((bytes[at] ?? 0) >= 128) continue;
    numbers.push(varintValue(bytes.subarray(start, at + 1)));
    start = at + 1;
  }
  return numbers;
}

/** Negative int64 values are written as two's complement in ten bytes. */
function varintValue(bytes: Uint8Array): number {
  if (bytes.length > 10) throw new Error('The file holds a number that is too long.');
  if (bytes.length > 7) {
    let exact = 0n;
    for (const [at, byte] of bytes.entries()) exact |= BigInt(byte & 127) << BigInt(at * 7);
    return Number(BigInt.asIntN(64, exact));
  }
  let [value, scale] = [0, 1];
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale *= 128;
  }
  return value;
}

/** Builds one message. Fields appear in the order of the calls. */
export class Message {
  readonly #parts: Uint8Array[] = [];

  int(number: number, value: number): this {
    this.#parts.push(varintBytes(number * 8 + WIRE.varint), varintBytes(value));
    return this;
  }

  text(number: number, value: string): this {
    return this.bytes(number, Buffer.from(value));
  }

  bytes(number: number, value: Uint8Array): this {
    this.#parts.push(varintBytes(number * 8 + WIRE.bytes), varintBytes(value.length), value);
    return this;
  }

  message(number: number, value: Message): this {
    return this.bytes(number, value.finish());
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) + 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
