// Draws pictures into a folder: `node draw-parts.ts OPTIONS FOLDER`. A process of its own: what is measured shares no heap with them.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { synthDataset, type SynthOptions } from '@trainyard/plugin-sdk/dataset';

const [options = '{}', folder = ''] = process.argv.slice(2);
const { files } = await synthDataset(parseOptions(options));
for (const [path, bytes] of files) {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), bytes);
}

function parseOptions(text: string): SynthOptions {
  return JSON.parse(text) as SynthOptions;
}
