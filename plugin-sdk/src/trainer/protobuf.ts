/** The wire format of Protocol Buffers, as much as ONNX files need. */

export interface Field {
  readonly number: number;
  /** Varint and fixed values as a number (exact up to 2^53); length-delimited ones as bytes. */
  readonly value: number | Uint8Array;
  readonly fixed32?: number;
}

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Walks the fields of one message. Throws an Error when the bytes end early or are no message. */
export function* readFields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count += 1) {
      const byte = bytes[at];
      if (byte === undefined) throw new Error('The file is cut off.');
      at += 1;
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) return value;
    }
    throw new Error('The file holds a number that is too long.');
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

/** Signed reading of a varint: protobuf writes negative int64 as two's complement in ten bytes. */
export function signed(value: number): number {
  return value >= 2 ** 63 ? value - 2 ** 64 : value;
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
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
