// `npm run generate` writes what code can write; `--check` compares instead and ends with 1 when something differs.
// `--into DIR` uses another folder than the repository.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { generatedFiles } from './generate/generated-files.ts';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({ options: { check: { type: 'boolean' }, into: { type: 'string' } } });
const into = resolve(values.into ?? root);
let different = 0;
for (const [path, text] of generatedFiles(root)) {
  const file = join(into, path);
  const before = readOrNull(file);
  if (before === text) continue;
  different += 1;
  if (values.check === true) {
    console.log(`${path} ${before === null ? 'is missing' : `differs from line ${firstDifference(before, text)} on`}`);
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
  }
}
if (values.check === true && different > 0) {
  console.log('Run `npm run generate` and commit what it wrote.');
  process.exitCode = 1;
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function firstDifference(is: string, should: string): number {
  const [a, b] = [is.split('\n'), should.split('\n')];
  return b.findIndex((line, index) => line !== a[index]) + 1 || b.length + 1;
}
