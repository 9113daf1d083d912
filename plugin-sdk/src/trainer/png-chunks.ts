import { crc32 } from 'node:zlib';

/** The parts of a PNG file, for everything here that reads or writes one. */

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

export interface PngChunk {
  /** IHDR, PLTE, tRNS, IDAT, IEND. */
  readonly kind: string;
  readonly body: Uint8Array;
}

/** Chunks up to IEND, each checked; bodies are views. Throws an Error with one sentence when these are not the bytes of a whole PNG. */
export function* splitPng(bytes: Uint8Array): Generator<{ kind: string; body: Buffer }> {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!data.subarray(0, 8).equals(SIGNATURE)) throw new Error('This is not a PNG file.');
  let at = 8;
  while (at + 12 <= data.length) {
    const kind = data.toString('latin1', at + 4, at + 8);
    const end = at + 8 + data.readUInt32BE(at);
    if (end + 4 > data.length) throw new Error('The PNG file is cut off.');
    if (crc32(data.subarray(at + 4, end)) !== data.readUInt32BE(end))
      throw new Error(`The ${kind} part of the PNG file is damaged.`);
    yield { kind, body: data.subarray(at + 8, end) };
    if (kind === 'IEND') return;
    at = end + 4;
  }
}

/** IEND is added. */
export function joinPng(chunks: readonly PngChunk[]): Buffer {
  const end = { kind: 'IEND', body: new Uint8Array(0) };
  return Buffer.concat([SIGNATURE, ...[...chunks, end].map(writeChunk)]);
}

function writeChunk({ kind, body }: PngChunk): Buffer {
  const whole = Buffer.alloc(body.length + 12);
  whole.writeUInt32BE(body.length, 0);
  whole.write(kind, 4, 'latin1');
  whole.set(body, 8);
  whole.writeUInt32BE(crc32(whole.subarray(4, body.length + 8)), body.length + 8);
  return whole;
}

/** 8 bits a channel, not interlaced. */
export function pngHeader(width: number, height: number, channels: 1 | 3): PngChunk {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set([8, channels === 3 ? 2 : 0, 0, 0, 0], 8);
  return { kind: 'IHDR', body };
}

/**
 * Undoes the row filters. `raw`: unpacked rows, each behind the number of its filter; `stride`: bytes of a row; `back`: bytes of a pixel, at least 1.
 * Throws an Error with one sentence.
 */
export function unfilterRows(raw: Uint8Array, stride: number, height: number, back: number): Uint8Array {
  const out = new Uint8Array(stride * height);
  for (let row = 0; row < height; row += 1) {
    const from = row * (stride + 1) + 1;
    const filter = raw[from - 1] ?? 0;
    if (filter > 4) throw new Error('The PNG file uses a filter that does not exist.');
    for (let x = 0; x < stride; x += 1) {
      const here = row * stride + x;
      const left = x >= back ? (out[here - back] ?? 0) : 0;
      const up = row > 0 ? (out[here - stride] ?? 0) : 0;
      const corner = x >= back && row > 0 ? (out[here - stride - back] ?? 0) : 0;
      out[here] = (raw[from + x] ?? 0) + predictor(filter, left, up, corner);
    }
  }
  return out;
}

function predictor(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
