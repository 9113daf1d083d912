import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import { decodePng, encodePng, toGrey } from '../trainer/png.ts';

function chunk(kind: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(kind, 'latin1'), body]);
  const whole = Buffer.alloc(named.length + 8);
  whole.writeUInt32BE(body.length, 0);
  named.copy(whole, 4);
  whole.writeUInt32BE(crc32(named), named.length + 4);
  return whole;
}

function png(
  width: number,
  height: number,
  depth: number,
  colour: number,
  rows: readonly number[],
  palette?: readonly number[],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [signature, chunk('IHDR', header)];
  if (palette !== undefined) parts.push(chunk('PLTE', Buffer.from(palette)));
  return Buffer.concat([...parts, chunk('IDAT', deflateSync(Buffer.from(rows))), chunk('IEND', Buffer.alloc(0))]);
}

test('what was encoded is decoded, grey and RGB', () => {
  for (const channels of [1, 3] as const) {
    const pixels = Uint8Array.from({ length: 7 * 5 * channels }, (_, index) => (index * 37) % 256);
    assert.deepEqual(decodePng(encodePng({ width: 7, height: 5, channels, pixels })), {
      width: 7,
      height: 5,
      channels,
      pixels,
    });
  }
});

test('every row filter is undone', () => {
  // Five rows of the same pixels 10 20 30, each written with another filter.
  const rows = [0, 10, 20, 30, 1, 10, 10, 10, 2, 0, 0, 0, 3, 5, 5, 5, 4, 0, 0, 0];
  const { pixels } = decodePng(png(3, 5, 8, 0, rows));
  assert.deepEqual([...pixels], [10, 20, 30, 10, 20, 30, 10, 20, 30, 10, 20, 30, 10, 20, 30]);
});

test('low depths, palettes and alpha', () => {
  assert.deepEqual(
    [...decodePng(png(9, 1, 1, 0, [0, 0b10110010, 0b10000000])).pixels],
    [255, 0, 255, 255, 0, 0, 255, 0, 255],
  );
  assert.deepEqual([...decodePng(png(3, 1, 4, 0, [0, 0x0f, 0x80])).pixels], [0, 255, 136]);
  const palette = [1, 2, 3, 40, 50, 60, 7, 8, 9];
  assert.deepEqual([...decodePng(png(3, 1, 2, 3, [0, 0b01_00_10_00], palette)).pixels], [40, 50, 60, 1, 2, 3, 7, 8, 9]);
  assert.deepEqual(
    [...decodePng(png(2, 1, 8, 6, [0, 200, 100, 50, 255, 200, 100, 50, 0])).pixels],
    [200, 100, 50, 0, 0, 0],
  );
  assert.deepEqual([...decodePng(png(1, 1, 8, 4, [0, 80, 255])).pixels], [80]);
});

test('grey of a colour picture', () => {
  const grey = toGrey({
    width: 3,
    height: 1,
    channels: 3,
    pixels: Uint8Array.from([255, 0, 0, 0, 255, 0, 255, 255, 255]),
  });
  assert.deepEqual([...grey], [76, 150, 255]);
});

test('what it cannot read it refuses with a sentence', () => {
  const good = Buffer.from(encodePng({ width: 4, height: 4, channels: 1, pixels: new Uint8Array(16) }));
  assert.throws(() => decodePng(good.subarray(0, 50)), /cut off/);
  assert.throws(() => decodePng(Buffer.from('GIF89a')), /not a PNG/);
  const bent = Buffer.from(good);
  bent[45] = (bent[45] ?? 0) ^ 1;
  assert.throws(() => decodePng(bent), /damaged/);
  assert.throws(() => decodePng(png(1, 1, 16, 0, [0, 1, 2])), /16-bit PNG files are not supported/);
  assert.throws(() => decodePng(png(4, 4, 8, 0, [0, 1, 2])), /fewer pixels/);
  assert.throws(() => decodePng(png(60_000, 60_000, 8, 0, [0])), /too large/);
  assert.throws(() => decodePng(png(1, 1, 2, 3, [0, 0xff], [1, 2, 3])), /not in its palette/);
});
