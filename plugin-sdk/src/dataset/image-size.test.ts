import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageSize } from './image-size.ts';
import { encodePng8 } from './index-png.ts';

test('the size is read from the header of each kind of picture', () => {
  const png = encodePng8({ width: 7, height: 5, channels: 1, data: new Uint8Array(35) });
  assert.deepEqual(imageSize(png), { width: 7, height: 5 });
  // SOI, APP1 with 4 bytes, then a progressive frame of 300 rows and 500 columns.
  const jpeg = Buffer.from('ffd8' + 'ffe100060a0b0c0d' + 'ffc20011' + '08012c01f4' + '03012200021101031101', 'hex');
  assert.deepEqual(imageSize(jpeg), { width: 500, height: 300 });
  const bmp = Buffer.alloc(54);
  bmp.write('BM', 'latin1');
  bmp.writeUInt32LE(40, 14);
  bmp.writeInt32LE(31, 18);
  bmp.writeInt32LE(-17, 22);
  assert.deepEqual(imageSize(bmp), { width: 31, height: 17 });
  const lossy = Buffer.concat([Buffer.from('RIFF....WEBPVP8 ....'), Buffer.from('0000009d012a40012c81', 'hex')]);
  assert.deepEqual(imageSize(lossy), { width: 320, height: 300 });
  const lossless = Buffer.concat([Buffer.from('RIFF....WEBPVP8L....'), Buffer.from('2f3f414a00', 'hex')]);
  assert.deepEqual(imageSize(lossless), { width: 320, height: 298 });
  const extended = Buffer.concat([Buffer.from('RIFF....WEBPVP8X........'), Buffer.from('3f01002b0100', 'hex')]);
  assert.deepEqual(imageSize(extended), { width: 320, height: 300 });
});

test('cut headers and other files have no size', () => {
  const png = encodePng8({ width: 7, height: 5, channels: 1, data: new Uint8Array(35) });
  assert.equal(imageSize(png.subarray(0, 18)), null);
  assert.equal(imageSize(Buffer.from('GIF89a')), null);
  assert.equal(imageSize(Buffer.from('ffd8ffe0', 'hex')), null);
});
