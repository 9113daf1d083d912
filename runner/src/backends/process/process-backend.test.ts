import { test } from 'node:test';
import { backendContract } from '../../testing/index.ts';
import { processesUnderTest } from '../../testing/process-backend-under-test.ts';
import { findWall } from './try-wall.ts';

backendContract('process, bare', processesUnderTest({ wall: null, note: 'Switched off for this test.' }));

const found = await findWall('auto');
if (found.wall === null) test('backend contract: process, walled', { skip: found.note }, () => undefined);
else backendContract('process, walled', processesUnderTest(found));
