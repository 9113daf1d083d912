/** Pure: is this file a picture of the kind its name says, from its first and last bytes? No pixel is decoded. */
export const IMAGE_TYPES = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  bmp: 'image/bmp',
} as const;

export function imageTypeOf(path: string): string | null {
  const ending = path.split('.').at(-1)?.toLowerCase() ?? '';
  return Object.hasOwn(IMAGE_TYPES, ending) ? IMAGE_TYPES[ending as keyof typeof IMAGE_TYPES] : null;
}

function startsWith(bytes: Uint8Array, start: readonly number[], at = 0): boolean {
  return start.every((byte, i) => bytes[at + i] === byte);
}

/** What is wrong with it, in words; null when begin and end are those of a whole picture. */
export function imageProblem(path: string, head: Uint8Array, tail: Uint8Array): string | null {
  switch (imageTypeOf(path)) {
    case 'image/png':
      if (!startsWith(head, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'is not a PNG picture';
      return startsWith(tail.subarray(-8), [0x49, 0x45, 0x4e, 0x44]) ? null : 'is cut off';
    case 'image/jpeg':
      if (!startsWith(head, [0xff, 0xd8, 0xff])) return 'is not a JPEG picture';
      // Some cameras pad the end with zeros.
      return Buffer.from(tail).toString('latin1').replace(/\0+$/, '').endsWith('\xff\xd9') ? null : 'is cut off';
    case 'image/webp':
      return startsWith(head, [0x52, 0x49, 0x46, 0x46]) && startsWith(head, [0x57, 0x45, 0x42, 0x50], 8)
        ? null
        : 'is not a WebP picture';
    case 'image/bmp':
      return startsWith(head, [0x42, 0x4d]) ? null : 'is not a BMP picture';
    default:
      return 'is not a picture';
  }
}
