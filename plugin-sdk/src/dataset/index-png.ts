/** 8-bit PNG for masks and drawn scenes. A mask's value is its palette index or its grey value, never its colour. */
import { constants, deflateSync, inflateSync } from 'node:zlib';
import { joinPng, pngHeader, splitPng, unfilterRows } from '../trainer/png-chunks.ts';
import type { IndexMask } from './labelled-item.ts';

const LARGEST_AREA = 64 * 1024 * 1024;

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
  const packed = deflateSync(rows, { level: 6, memLevel: 8, strategy: constants.Z_RLE });
  return Uint8Array.from(joinPng([pngHeader(width, height, channels), { kind: 'IDAT', body: packed }]));
}

export function encodeMask(mask: IndexMask): Uint8Array<ArrayBuffer> {
  return encodePng8({ ...mask, channels: 1 });
}

/** Throws an Error with one sentence when it is no single-channel 8-bit PNG. */
export function decodeMask(bytes: Uint8Array): IndexMask {
  const chunks = [...splitPng(bytes)];
  const header = chunks.find(({ kind }) => kind === 'IHDR')?.body;
  if (header?.length !== 13) throw new Error('The PNG header is damaged.');
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const [depth, colour, interlace] = [header[8], header[9], header[12]];
  if (depth !== 8 || (colour !== 0 && colour !== 3))
    throw new Error('A mask is an 8-bit PNG with one channel (grey or palette).');
  if (interlace !== 0) throw new Error('A mask must not be interlaced.');
  if (width === 0 || height === 0 || width * height > LARGEST_AREA) throw new Error('The mask is empty or too large.');
  const size = (width + 1) * height;
  const packed = chunks.flatMap(({ kind, body }) => (kind === 'IDAT' ? [body] : []));
  const rows = inflateSync(Buffer.concat(packed), { maxOutputLength: size });
  if (rows.length !== size) throw new Error('The PNG file is cut off.');
  return { width, height, data: unfilterRows(rows, width, height, 1) };
}
