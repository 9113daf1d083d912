import { deflateSync, inflateSync } from 'node:zlib';
import { joinPng, pngHeader, splitPng, unfilterRows } from './png-chunks.ts';

/** PNG ⇄ pixels: grey, RGB, RGBA, grey with alpha and palette at up to 8 bits, plain and interlaced-free. */

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 1 grey or 3 RGB; alpha is laid over black. */
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

const LARGEST_SIDE = 16_384;
const LARGEST_AREA = 64 * 1024 * 1024;
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
}

/** Throws an Error with one sentence when the bytes are not a PNG this reader knows. */
export function decodePng(bytes: Uint8Array): Picture {
  let header: Header | null = null;
  let palette: Buffer | null = null;
  const parts: Buffer[] = [];
  for (const { kind, body } of splitPng(bytes)) {
    if (kind === 'IHDR') header = readHeader(body);
    else if (kind === 'PLTE') palette = body;
    else if (kind === 'IDAT') parts.push(body);
  }
  if (header === null || parts.length === 0) throw new Error('The PNG file holds no picture.');
  return toPicture(header, unfilter(header, Buffer.concat(parts)), palette);
}

function readHeader(body: Buffer): Header {
  if (body.length !== 13) throw new Error('The PNG header is damaged.');
  const [width, height, depth, colour] = [
    body.readUInt32BE(0),
    body.readUInt32BE(4),
    body.readUInt8(8),
    body.readUInt8(9),
  ];
  if (width === 0 || height === 0 || width > LARGEST_SIDE || height > LARGEST_SIDE || width * height > LARGEST_AREA) {
    throw new Error(`A picture of ${width} × ${height} pixels is too large or empty.`);
  }
  if (depth === 16) throw new Error('16-bit PNG files are not supported; save the picture with 8 bits per channel.');
  const valid =
    CHANNELS[colour] !== undefined && [1, 2, 4, 8].includes(depth) && (depth === 8 || colour === 0 || colour === 3);
  if (!valid) throw new Error('The PNG header names a colour type that does not exist.');
  if (body.readUInt8(12) !== 0)
    throw new Error('Interlaced PNG files are not supported; save the picture without interlacing.');
  return { width, height, depth, colour };
}

function unfilter(header: Header, packed: Buffer): Uint8Array {
  const bits = header.depth * (CHANNELS[header.colour] ?? 1);
  const stride = Math.ceil((header.width * bits) / 8);
  const back = Math.max(1, bits >> 3);
  let raw: Buffer;
  try {
    raw = inflateSync(packed, { maxOutputLength: (stride + 1) * header.height + 1024 });
  } catch {
    throw new Error('The pixels of the PNG file cannot be unpacked.');
  }
  if (raw.length < (stride + 1) * header.height)
    throw new Error('The PNG file holds fewer pixels than its header says.');
  return unfilterRows(raw, stride, header.height, back);
}

function toPicture(header: Header, rows: Uint8Array, palette: Buffer | null): Picture {
  const { width, height, depth, colour } = header;
  const area = width * height;
  if (colour === 3) {
    if (palette === null) throw new Error('The PNG file has no palette.');
    const pixels = new Uint8Array(area * 3);
    for (let i = 0; i < area; i += 1) {
      const index = sampleAt(rows, width, depth, i);
      if (index * 3 + 2 >= palette.length) throw new Error('A pixel of the PNG file is not in its palette.');
      palette.copy(pixels, i * 3, index * 3, index * 3 + 3);
    }
    return { width, height, channels: 3, pixels };
  }
  if (colour === 0) {
    if (depth === 8) return { width, height, channels: 1, pixels: rows };
    const scale = 255 / (2 ** depth - 1);
    return {
      width,
      height,
      channels: 1,
      pixels: Uint8Array.from({ length: area }, (_, i) => sampleAt(rows, width, depth, i) * scale),
    };
  }
  const from = CHANNELS[colour] ?? 1;
  if (from === 3) return { width, height, channels: 3, pixels: rows };
  const channels = from === 2 ? 1 : 3;
  const pixels = new Uint8Array(area * channels);
  for (let i = 0; i < area; i += 1) {
    const alpha = (rows[i * from + channels] ?? 255) / 255;
    for (let c = 0; c < channels; c += 1) pixels[i * channels + c] = Math.round((rows[i * from + c] ?? 0) * alpha);
  }
  return { width, height, channels, pixels };
}

function sampleAt(rows: Uint8Array, width: number, depth: number, index: number): number {
  const x = index % width;
  const bit = x * depth;
  const byte = rows[Math.floor(index / width) * Math.ceil((width * depth) / 8) + (bit >> 3)] ?? 0;
  return (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}

/** 8-bit grey or RGB. */
export function encodePng(picture: Picture): Uint8Array {
  const { width, height, channels, pixels } = picture;
  const stride = width * channels;
  const raw = Buffer.alloc((stride + 1) * height);
  for (let row = 0; row < height; row += 1)
    raw.set(pixels.subarray(row * stride, (row + 1) * stride), row * (stride + 1) + 1);
  return joinPng([pngHeader(width, height, channels), { kind: 'IDAT', body: deflateSync(raw) }]);
}

/** One byte per pixel; colours are weighted as ITU-R 601 does, in whole numbers so that every implementation agrees. */
export function toGrey(picture: Picture): Uint8Array {
  if (picture.channels === 1) return picture.pixels;
  const { pixels } = picture;
  return Uint8Array.from({ length: picture.width * picture.height }, (_, i) => {
    const [r, g, b] = [pixels[i * 3] ?? 0, pixels[i * 3 + 1] ?? 0, pixels[i * 3 + 2] ?? 0];
    return (r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16;
  });
}
