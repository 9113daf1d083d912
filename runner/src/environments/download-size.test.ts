import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, DownloadSize } from './download-size.ts';

test('what comes, how much of it is there and how long it takes is told from what the installer says', () => {
  let now = 100;
  const size = new DownloadSize(() => now);
  assert.deepEqual(size.estimate(0, 5_000_000), { bytes: 5_000_000 });
  for (const line of ['Resolved 3 packages in 2ms', 'Downloading torch (100.0MiB)', 'Downloading numpy (25.0MiB)'])
    size.line(line);
  assert.deepEqual(size.estimate(0, 0), { bytes: 0, totalBytes: 131_072_000, fraction: 0 });
  now = 110;
  size.line(' Downloaded numpy');
  const estimate = size.estimate(52_428_800, 104_857_600); // half of what it is unpacked
  assert.deepEqual(estimate, { bytes: 52_428_800, totalBytes: 131_072_000, fraction: 0.4, secondsLeft: 15 });
  // Where finished packages cannot be seen, what they came to is not counted for those under way.
  assert.equal(size.estimate(0, 58_000_000).bytes, 26_214_400);
  assert.equal(describe(estimate), '52 of 131 MB, about 15 s left');
  assert.equal(describe({ bytes: 1.2e9, totalBytes: 2.6e9, secondsLeft: 250 }), '1.2 of 2.6 GB, about 4 min left');
  size.line('Downloaded torch');
  assert.equal(size.estimate(400_000_000, 400_000_000).fraction, 1);
});
