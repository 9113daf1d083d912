import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMask, encodeMask, encodePng8, splitPng } from '@trainyard/plugin-sdk/dataset';
import { decodePng } from '@trainyard/plugin-sdk/trainer';
import { maskOverlay } from './mask-overlay.ts';

const MASK = { width: 3, height: 1, data: Uint8Array.of(0, 1, 255) };

test('a mask becomes its colours, its values stay, and only classes can be seen', () => {
  const overlay = maskOverlay(encodeMask(MASK), [null, '#ff8001']);
  assert.ok(overlay !== null);
  assert.deepEqual(decodeMask(overlay), MASK);
  assert.deepEqual([...decodePng(overlay).pixels], [0, 0, 0, 0xff, 0x80, 0x01, 0, 0, 0]);
  const alpha = [...splitPng(overlay)].find(({ kind }) => kind === 'tRNS')?.body;
  assert.deepEqual(
    [0, 1, 2, 255].map((value) => alpha?.[value]),
    [0, 140, 0, 0],
  );
  // What was coloured already is coloured anew.
  assert.deepEqual(maskOverlay(overlay, [null, '#ff8001']), overlay);
});

test('what is no mask has none', () => {
  const png = encodeMask(MASK);
  const rgb = encodePng8({ width: 1, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3) });
  for (const bytes of [Buffer.from('GIF89a'), rgb, png.subarray(0, 50)]) assert.equal(maskOverlay(bytes, []), null);
});
