import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCardList } from './graphics-cards.ts';

test('cards and slices of cards are read from nvidia-smi -L', () => {
  const text = `GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaaaaaa-1111-2222-3333-444444444444)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbbbbbb-1111-2222-3333-444444444444)
  MIG 1g.5gb      Device  0: (UUID: MIG-cccccccc-1111-2222-3333-444444444444)
  MIG 2g.10gb     Device  1: (UUID: MIG-dddddddd-1111-2222-3333-444444444444)
`;
  assert.deepEqual(parseCardList(text), [
    { name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-aaaaaaaa-1111-2222-3333-444444444444' },
    { name: 'NVIDIA A100-SXM4-40GB MIG 1g.5gb', uuid: 'MIG-cccccccc-1111-2222-3333-444444444444' },
    { name: 'NVIDIA A100-SXM4-40GB MIG 2g.10gb', uuid: 'MIG-dddddddd-1111-2222-3333-444444444444' },
  ]);
  assert.deepEqual(parseCardList('No devices found.\n'), []);
});
