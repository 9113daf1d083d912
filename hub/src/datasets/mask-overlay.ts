import { joinPng, splitPng } from '@trainyard/plugin-sdk/dataset';

const ALPHA = 140;

/** Pure: a mask as a coloured PNG to lay over its picture; null when it is none. The values become places in a palette, no pixel is decoded. */
export function maskOverlay(mask: Uint8Array, colours: readonly (string | null)[]): Buffer | null {
  const chunks = chunksOf(mask);
  const header = chunks.find(({ kind }) => kind === 'IHDR')?.body;
  if (header?.length !== 13 || header[8] !== 8 || (header[9] !== 0 && header[9] !== 3)) return null;
  const body = Buffer.from(header);
  body[9] = 3;
  const palette = Buffer.alloc(256 * 3);
  const alpha = Buffer.alloc(256);
  colours.slice(0, 255).forEach((colour, value) => {
    if (colour === null) return;
    palette.writeUIntBE(Number.parseInt(colour.slice(1), 16), value * 3, 3);
    alpha[value] = ALPHA;
  });
  return joinPng([
    { kind: 'IHDR', body },
    { kind: 'PLTE', body: palette },
    { kind: 'tRNS', body: alpha },
    ...chunks.filter(({ kind }) => kind === 'IDAT'),
  ]);
}

function chunksOf(bytes: Uint8Array): { kind: string; body: Buffer }[] {
  try {
    return [...splitPng(bytes)];
  } catch {
    return [];
  }
}
