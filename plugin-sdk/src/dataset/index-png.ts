/** 8-bit PNG for masks and drawn scenes. A mask's value is its palette index or its grey value, never its colour. */
import { constants, crc32, deflateSync, inflateSync } from 'node:zlib';
import type { IndexMask } from './labelled-item.ts';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const LARGEST_AREA = 64 * 1024 * 1024;

function chunk(kind: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(kind, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, body.length + 8)), body.length + 8);
  return out;
}

/**
 * Same bytes on every host: rows are filtered by one fixed rule, and the run-length strategy leaves the search for matches out, which is where builds of zlib differ.
 */
export function encodePng8(picture: {
  width: number;
  height: number;
  channels: 1 | 3;
  data: Uint8Array;
}): Uint8Array<ArrayBuffer> {
  const { width, height, channels, data } = picture;
  const stride = width * channels;
  const rows = Buffer.alloc((stride + 1) * height);
  // Neighbours differ little in a scene; a mask is runs already.
  const filter = channels === 3 ? 1 : 0;
  for (let y = 0; y < height; y += 1) {
    const to = y * (stride + 1);
    rows[to] = filter;
    for (let i = 0; i < stride; i += 1) {
      const left = filter === 1 && i >= channels ? (data[y * stride + i - channels] ?? 0) : 0;
      rows[to + 1 + i] = (data[y * stride + i] ?? 0) - left;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 3 ? 2 : 0, 0, 0, 0], 8);
  const packed = deflateSync(rows, { level: 6, memLevel: 8, strategy: constants.Z_RLE });
  const parts = [SIGNATURE, chunk('IHDR', header), chunk('IDAT', packed), chunk('IEND', Buffer.alloc(0))];
  return Uint8Array.from(Buffer.concat(parts));
}

export function encodeMask(mask: IndexMask): Uint8Array<ArrayBuffer> {
  return encodePng8({ ...mask, channels: 1 });
}

/** Throws an Error with one sentence when it is no single-channel 8-bit PNG. */
export function decodeMask(bytes: Uint8Array): IndexMask {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.length < 33 || !data.subarray(0, 8).equals(SIGNATURE)) throw new Error('This is not a PNG file.');
  const [width, height] = [data.readUInt32BE(16), data.readUInt32BE(20)];
  const [depth, colour, interlace] = [data[24], data[25], data[28]];
  if (depth !== 8 || (colour !== 0 && colour !== 3))
    throw new Error('A mask is an 8-bit PNG with one channel (grey or palette).');
  if (interlace !== 0) throw new Error('A mask must not be interlaced.');
  if (width === 0 || height === 0 || width * height > LARGEST_AREA) throw new Error('The mask is empty or too large.');
  const parts: Buffer[] = [];
  for (let at = 8; at + 12 <= data.length;) {
    const end = at + 8 + data.readUInt32BE(at);
    if (end + 4 > data.length) throw new Error('The PNG file is cut off.');
    if (crc32(data.subarray(at + 4, end)) !== data.readUInt32BE(end)) throw new Error('The PNG file is damaged.');
    if (data.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(data.subarray(at + 8, end));
    at = end + 4;
  }
  const size = (width + 1) * height;
  const rows = inflateSync(Buffer.concat(parts), { maxOutputLength: size });
  if (rows.length !== size) throw new Error('The PNG file is cut off.');
  return { width, height, data: unfilter(rows, width, height) };
}

function unfilter(rows: Buffer, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const from = y * (width + 1) + 1;
    const filter = rows[from - 1] ?? 0;
    if (filter > 4) throw new Error('The PNG file is damaged.');
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      const left = x > 0 ? (out[at - 1] ?? 0) : 0;
      const up = y > 0 ? (out[at - width] ?? 0) : 0;
      const corner = x > 0 && y > 0 ? (out[at - width - 1] ?? 0) : 0;
      out[at] = (rows[from + x] ?? 0) + predicted(filter, left, up, corner);
    }
  }
  return out;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
