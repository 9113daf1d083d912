import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Problem } from '../../problem.ts';
import type { Output } from '../output.ts';
import { convertFolder, inspectDataset, synthFolder } from './dataset.ts';

const root = await mkdtemp(join(tmpdir(), 'ty-dataset-'));
after(() => rm(root, { recursive: true, force: true }));

function listen(): { output: Output; lines: string[] } {
  const lines: string[] = [];
  const nothing = (): void => undefined;
  return {
    lines,
    output: { json: false, live: false, line: (text) => void lines.push(text), result: nothing, redraw: nothing },
  };
}

test('parts on a belt are written, inspected and converted without a hub', async () => {
  const { output, lines } = listen();
  const [made, other] = [join(root, 'made'), join(root, 'other')];
  await synthFolder({ task: 'segment', format: 'coco', out: made, seed: 1, train: 8, val: 4 }, output);
  assert.equal(await inspectDataset(made, {}, output), 0);
  assert.match(lines.join('\n'), /coco@1 for segment/);
  await convertFolder(made, { to: 'yolo-detect', out: other }, output);
  assert.match(lines.at(-1) ?? '', /outlines become boxes/);
  assert.equal(JSON.parse(await readFile(join(other, 'dataset.json'), 'utf8')).task, 'detect');
  const [label = ''] = await readdir(join(other, 'labels', 'train'));
  await appendFile(join(other, 'labels', 'train', label), '9 0.5 0.5 0.1 0.1\n');
  assert.equal(await inspectDataset(other, {}, output), 65);
  assert.ok(lines.some((line) => line.includes(`labels/train/${label}:`) && line.includes('Class 9')));
  await assert.rejects(convertFolder(other, { to: 'coco', out: join(root, 'no') }, output), Problem);
  await assert.rejects(synthFolder({ task: 'detect', out: made, seed: 1, train: 8, val: 4 }, output), /not empty/);
  await assert.rejects(inspectDataset(made, { format: 'dice' }, output), /no format dice/);
});
