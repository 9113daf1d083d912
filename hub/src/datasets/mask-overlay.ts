import { crc32 } from 'node:zlib';

/** Pure: a mask as a coloured PNG to lay over its picture. Only its header changes: the values become places in a palette, no pixel is decoded. */
export function maskOverlay(mask: Buffer, colours: readonly (string | null)[]): Buffer | null {
  if (mask.length < 33 || mask.toString('latin1', 12, 16) !== 'IHDR' || mask[24] !== 8) return null;
  if (mask[25] !== 0 && mask[25] !== 3) return null;
  const header = Buffer.from(mask.subarray(16, 29));
  header[9] = 3;
  const palette = Buffer.alloc(256 * 3);
  const alpha = Buffer.alloc(256);
  colours.slice(0, 255).forEach((colour, value) => {
    if (colour === null) return;
    palette.writeUIntBE(Number.parseInt(colour.slice(1), 16), value * 3, 3);
    alpha[value] = 140;
  });
  const kept: Buffer[] = [];
  for (let at = 33; at + 12 <= mask.length;) {
    const end = at + 12 + mask.readUInt32BE(at);
    const kind = mask.toString('latin1', at + 4, at + 8);
    if (kind === 'IDAT' || kind === 'IEND') kept.push(mask.subarray(at, end));
    at = end;
  }
  return Buffer.concat([
    mask.subarray(0, 8),
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('tRNS', alpha),
    ...kept,
  ]);
}

function chunk(kind: string, body: Buffer): Buffer {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(kind, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, body.length + 8)), body.length + 8);
  return out;
}
