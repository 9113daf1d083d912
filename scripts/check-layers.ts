// dependency-cruiser with the rules of .dependency-cruiser.mjs. Beside TypeScript 7 it has been blind and said "no
// violations"; so this also asserts that every file was seen, and that breaches planted in a copy are all caught.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { trackedFiles } from './checking/tracked-files.ts';

const root = join(import.meta.dirname, '..');
const packages = ['plugin-sdk', 'hub', 'registry', 'runner', 'validator', 'site', 'scripts', 'e2e', 'bench'];
const unseen = /\/trainer_sdk\/|\/templates\/|\/dist\/|\.generated\.ts$/;

interface Report {
  /** Every violation as `rule: from → to`. */
  readonly lines: readonly string[];
  readonly sources: ReadonlySet<string>;
}

/** Each breach is named after the rule that its first file breaks: path → text of the file. */
const breaches: Record<string, Record<string, string>> = {
  'room-order': {
    'hub/src/audit/a.ts': "import { run } from '../runs/run.ts';\nexport const a = run;\n",
    'hub/src/runs/run.ts': 'export const run = 1;\n',
  },
  'package-layers': {
    'plugin-sdk/src/word.ts': "import type { Stage } from '../../validator/src/stage.ts';\nexport type Word = Stage;\n",
    'validator/src/stage.ts': 'export type Stage = 1;\n',
  },
  'package-by-its-exports': {
    'validator/src/try.ts': "import { loop } from '../../runner/src/loop.ts';\nexport const tried = loop;\n",
    'runner/src/loop.ts': 'export const loop = 1;\n',
  },
  'no-cycle': {
    'runner/src/one.ts': "import type { Two } from './two.ts';\nexport interface One { two: Two }\n",
    'runner/src/two.ts': "import type { One } from './one.ts';\nexport interface Two { one: One }\n",
  },
  'leaf-layers': {
    'plugin-sdk/src/low.ts': "import { high } from './cli/high.ts';\nexport const low = high;\n",
    'plugin-sdk/src/cli/high.ts': 'export const high = 1;\n',
  },
  'library-fence': {
    'runner/src/fenced.ts': "import type { FastifyInstance } from 'fastify';\nexport type F = FastifyInstance;\n",
  },
  'library-fence (of a library built into dist/)': {
    'hub/src/fenced-too.ts': "import type { Tensor } from 'onnxruntime-node';\nexport type T = Tensor;\n",
  },
  'composition-root': {
    'hub/src/users/u.ts': "import { app } from '../app.ts';\nexport const u = app;\n",
    'hub/src/app.ts': 'export const app = 1;\n',
  },
  'known-room': {
    'hub/src/jobs/j.ts': "import { x } from '../odds-and-ends/x.ts';\nexport const j = x;\n",
    'hub/src/odds-and-ends/x.ts': 'export const x = 1;\n',
  },
  'tests-stay-outside': {
    'runner/src/real.ts': "import { helper } from './real.test.ts';\nexport const real = helper;\n",
    'runner/src/real.test.ts': 'export const helper = 1;\n',
  },
  resolves: { 'runner/src/nowhere.ts': "export * from './not-there.ts';\n" },
  'declared-dependency': { 'registry/src/undeclared.ts': "import lodash from 'lodash';\nexport const l = lodash;\n" },
  'browser-code': {
    'site/src/lib/page.ts': "import { readFileSync } from 'node:fs';\nexport const r = readFileSync;\n",
  },
};

const problems = [...checkTree(), ...checkSvelteImports(), ...checkPlanted()];
for (const problem of problems) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

function checkTree(): string[] {
  const files = trackedFiles(root).filter((file) => file.endsWith('.ts') && !unseen.test(file));
  const report = cruise(
    root,
    packages.filter((name) => files.some((file) => file.startsWith(`${name}/`))),
  );
  const missed = files.filter((file) => !report.sources.has(file));
  console.log(`layers: ${report.sources.size} modules, ${files.length} TypeScript files of ours`);
  return [
    ...report.lines,
    ...missed.map((file) => `not-seen: dependency-cruiser did not look at ${file}; is @swc/core installed?`),
    ...(files.length === 0 ? ['not-seen: no TypeScript file was found at all'] : []),
  ];
}

/** dependency-cruiser reads no Svelte beside TypeScript 7. What matters there are two things that a line shows. */
function checkSvelteImports(): string[] {
  const refused =
    /from '(@trainyard\/(?:hub|runner|registry|validator)[^']*|node:[^']*|unified|rehype-[^']*|remark-[^']*)'/;
  return trackedFiles(root)
    .filter((file) => file.endsWith('.svelte'))
    .flatMap((file) => {
      const found = refused.exec(readFileSync(join(root, file), 'utf8'));
      return found === null
        ? []
        : [`package-layers: ${file} → ${found[1]}: a page may import plugin-sdk, nothing else of ours`];
    });
}

function checkPlanted(): string[] {
  const copy = mkdtempSync(join(tmpdir(), 'trainyard-breach-'));
  try {
    for (const file of ['package.json', ...packages.slice(0, 6).map((name) => `${name}/package.json`)]) {
      plant(copy, file, readFileSync(join(root, file), 'utf8'));
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    for (const files of Object.values(breaches)) {
      for (const [path, text] of Object.entries(files)) plant(copy, path, text);
    }
    const { lines } = cruise(copy, packages.slice(0, 6));
    return Object.entries(breaches)
      .filter(([title, files]) => {
        const [rule] = title.split(' ');
        const [culprit] = Object.keys(files);
        return !lines.some((line) => line.startsWith(`${rule}: ${culprit} → `));
      })
      .map(([title]) => `blind: a planted breach of ${title} was not caught`);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function plant(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function cruise(folder: string, what: readonly string[]): Report {
  const program = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruiser.mjs');
  const args = [program, '--config', join(root, '.dependency-cruiser.mjs'), '--output-type', 'json', ...what];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (!stdout.startsWith('{')) throw new Error(`dependency-cruiser did not run:\n${stdout}${stderr}`);
  return parseReport(JSON.parse(stdout));
}

function parseReport(json: unknown): Report {
  const { modules, summary } = json as {
    modules: { source: string }[];
    summary: { violations: { from: string; to: string; rule: { name: string } }[] };
  };
  return {
    lines: [...new Set(summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} → ${to}`))],
    sources: new Set(modules.map(({ source }) => source)),
  };
}
