// File names say what a file holds: kebab-case, components PascalCase, none of the words that say nothing.
// Sizes are only shown: a long file is right where splitting it would scatter one thought.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { trackedFiles } from './checking/tracked-files.ts';

const root = join(import.meta.dirname, '..');
const ours = /^(plugin-sdk|hub|registry|runner|validator|site|trainers|scripts|e2e|bench|docs|deploy|\.ci)\//;
const notNamedByUs = /\/(trainer_sdk|templates|samples|migrations|schemas)\/|\.generated\.ts$|\.d\.ts$/;
const emptyWords = new Set([
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'misc',
  'service',
  'services',
  'manager',
  'types',
  'lib',
  'stuff',
]);
const fileCap = 300;
const testCap = 400;
const componentCap = 150;

const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|entity|sql|config|server|svelte|bench))*\.(ts|mjs|js)$/;
const svelteKit =
  /^\+(page|layout|error|server)(@[^.]*)?(\.server)?\.(svelte|ts)$|^(hooks\.server|hooks\.client|params|service-worker)\.ts$/;
const component = /^[A-Z][A-Za-z0-9]*\.svelte$/;
const python = /^(__[a-z]+__|_?[a-z][a-z0-9_]*)\.py$/;

const files = trackedFiles(root).filter((file) => ours.test(file));
const problems = files.flatMap(judgeName);
for (const problem of problems) console.log(problem);
printSizes(files.filter((file) => /\.(ts|svelte|py|mjs)$/.test(file) && !notNamedByUs.test(`/${file}`)));
process.exitCode = problems.length > 0 ? 1 : 0;

function judgeName(file: string): string[] {
  if (notNamedByUs.test(`/${file}`)) return [];
  const name = basename(file);
  const problems: string[] = [];
  const [stem = ''] = name.split('.');
  if (stem.split(/[-_]/).some((word) => emptyWords.has(word)) && /\.(ts|js|mjs|py|svelte)$/.test(name)) {
    problems.push(`forbidden-name: ${file}: "${stem}" does not say what the file holds`);
  }
  if (/\.(ts|mjs|js)$/.test(name) && !kebab.test(name) && !svelteKit.test(name)) {
    problems.push(`file-name: ${file}: kebab-case, like split-rules.ts`);
  }
  if (name.endsWith('.svelte') && !component.test(name) && !svelteKit.test(name)) {
    problems.push(`file-name: ${file}: a component is PascalCase`);
  }
  // Dashes are right in a Python script that is never imported.
  if (name.endsWith('.py') && !python.test(name) && !file.startsWith('scripts/') && !file.startsWith('bench/')) {
    problems.push(`file-name: ${file}: a Python module is snake_case`);
  }
  return problems;
}

function printSizes(sources: readonly string[]): void {
  const sized = sources.map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }));
  const lines = sized
    .filter(({ file }) => !file.endsWith('.test.ts'))
    .map(({ lines: count }) => count)
    .sort((a, b) => a - b);
  const at = (share: number): number => lines[Math.floor(lines.length * share)] ?? 0;
  console.log(`names: ${sized.length} source files, median ${at(0.5)} lines, p90 ${at(0.9)}`);
  const long = sized.filter(({ file, lines: count }) => count > capOf(file)).sort((a, b) => b.lines - a.lines);
  for (const { file, lines: count } of long) console.log(`  above ${capOf(file)}: ${file} (${count})`);
}

function capOf(file: string): number {
  if (file.endsWith('.svelte')) return componentCap;
  return file.endsWith('.test.ts') ? testCap : fileCap;
}
