/** Pure: COCO run lengths, down the columns, background first; as numbers and as COCO's packed text. */
import type { IndexMask, Rle } from './labelled-item.ts';

/** Pixels that are not 0 are the object. */
export function encodeRle(mask: IndexMask): Rle {
  const counts: number[] = [];
  let last = 0;
  let run = 0;
  for (let x = 0; x < mask.width; x += 1) {
    for (let y = 0; y < mask.height; y += 1) {
      const value = mask.data[y * mask.width + x] === 0 ? 0 : 1;
      if (value !== last) {
        counts.push(run);
        run = 0;
        last = value;
      }
      run += 1;
    }
  }
  counts.push(run);
  return { size: [mask.height, mask.width], counts };
}

/** 0 and 1. Throws when the runs do not fill the size. */
export function decodeRle(rle: Rle): IndexMask {
  const [height, width] = rle.size;
  const total = rle.counts.reduce((sum, run) => sum + run, 0);
  if (rle.counts.some((run) => !Number.isInteger(run) || run < 0) || total !== width * height)
    throw new Error(`The runs cover ${total} of ${width * height} pixels.`);
  const data = new Uint8Array(width * height);
  let at = 0;
  rle.counts.forEach((run, i) => {
    if (i % 2 === 1) for (let k = at; k < at + run; k += 1) data[(k % height) * width + Math.floor(k / height)] = 1;
    at += run;
  });
  return { width, height, data };
}

/** Six bits a character, differences to the run before last from the third on. */
export function packCounts(counts: readonly number[]): string {
  let text = '';
  counts.forEach((count, i) => {
    let value = i > 2 ? count - (counts[i - 2] ?? 0) : count;
    for (let more = true; more;) {
      let bits = value & 0x1f;
      value >>= 5;
      more = (bits & 0x10) !== 0 ? value !== -1 : value !== 0;
      if (more) bits |= 0x20;
      text += String.fromCharCode(bits + 48);
    }
  });
  return text;
}

export function unpackCounts(text: string): number[] {
  const counts: number[] = [];
  for (let at = 0; at < text.length;) {
    let value = 0;
    let shift = 0;
    for (let more = true; more; shift += 5) {
      if (at >= text.length) throw new Error('The packed runs are cut off.');
      const bits = text.charCodeAt(at) - 48;
      if (bits < 0 || bits > 63) throw new Error('The packed runs hold a strange character.');
      at += 1;
      value |= (bits & 0x1f) << shift;
      more = (bits & 0x20) !== 0;
      if (!more && (bits & 0x10) !== 0) value |= -1 << (shift + 5);
    }
    counts.push(counts.length > 2 ? value + (counts.at(-2) ?? 0) : value);
  }
  return counts;
}
