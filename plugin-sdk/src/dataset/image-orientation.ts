/** Pure: the EXIF orientation of a JPEG, from its header; 1 = upright or not said. Frameworks disagree whether they obey it. */
export function imageOrientation(head: Uint8Array): number {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.length < 12 || bytes.readUInt16BE(0) !== 0xffd8) return 1;
  try {
    for (let at = 2; at + 4 <= bytes.length;) {
      const [mark, length] = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2)];
      if (mark === 0xffe1 && bytes.toString('latin1', at + 4, at + 8) === 'Exif')
        return fromTiff(bytes.subarray(at + 10, at + 2 + length));
      if (mark < 0xff00 || mark === 0xffda) return 1;
      at += 2 + length;
    }
    return 1;
  } catch (error) {
    // A header that ends early says nothing.
    if (error instanceof RangeError) return 1;
    throw error;
  }
}

function fromTiff(tiff: Buffer): number {
  const little = tiff.toString('latin1', 0, 2) === 'II';
  const short = (at: number): number => (little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const start = little ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  for (let entry = 0; entry < short(start); entry += 1) {
    const at = start + 2 + entry * 12;
    if (short(at) === 0x0112) {
      const value = short(at + 8);
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 1;
}
