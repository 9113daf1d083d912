// `npm run check`: everything about the code that needs no test run. All parts run, then one line each; any failure is 1.
// `npm run check -- layers names` runs only the named ones.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** Paths without which there is nothing to check yet. */
  readonly needs?: readonly string[];
  readonly mend: string;
}

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

const checks: readonly Check[] = [
  { name: 'format', command: [bin('prettier'), '--check', '--log-level', 'warn', '.'], mend: 'npm run fix' },
  {
    name: 'lint',
    command: [bin('oxlint'), '--type-aware', '--deny-warnings', '-f', 'unix'],
    mend: 'npm run fix, the rest by hand',
  },
  { name: 'types', command: [bin('tsc'), '-p', 'tsconfig.json', '--noEmit'], mend: 'the lines above' },
  {
    name: 'site-types',
    command: ['npm', 'run', 'check', '--workspace', 'site', '--silent'],
    needs: ['site/tsconfig.json'],
    mend: 'the lines above',
  },
  {
    name: 'layers',
    command: [process.execPath, 'scripts/check-layers.ts'],
    mend: 'move the import; .dependency-cruiser.mjs says why',
  },
  { name: 'names', command: [process.execPath, 'scripts/check-names.ts'], mend: 'rename the file' },
  { name: 'dead', command: [bin('knip'), '--no-progress', '--no-config-hints'], mend: 'delete what nothing uses' },
  {
    name: 'generated',
    command: [process.execPath, 'scripts/generate.ts', '--check'],
    needs: ['scripts/generate.ts'],
    mend: 'npm run generate',
  },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.log(`Unknown check ${unknown.join(', ')}: there are ${checks.map(({ name }) => name).join(', ')}.`);
  process.exit(1);
}

prepareSiteTypes();
const lines: string[] = [];
let failed = 0;
for (const check of checks) {
  if (wanted.length > 0 && !wanted.includes(check.name)) continue;
  const missing = check.needs?.find((path) => !existsSync(join(root, path)));
  if (missing !== undefined) {
    lines.push(`– ${check.name}: skipped, ${missing} is not there yet`);
    continue;
  }
  const began = Date.now();
  const { code, output } = await run(check.command);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const text = output.trim();
  if (text !== '') console.log(`── ${check.name}\n${text}\n`);
  const passed = code === 0;
  if (!passed) failed += 1;
  lines.push(passed ? `✔ ${check.name} (${seconds} s)` : `✖ ${check.name} (${seconds} s): ${check.mend}`);
}

console.log(lines.join('\n'));
process.exitCode = failed > 0 ? 1 : 0;

/** The site's tsconfig extends one that SvelteKit writes; lint reads it too. */
function prepareSiteTypes(): void {
  const site = join(root, 'site');
  if (!existsSync(join(site, 'tsconfig.json')) || existsSync(join(site, '.svelte-kit', 'tsconfig.json'))) return;
  spawnSync(join(site, 'node_modules', '.bin', 'svelte-kit'), ['sync'], {
    cwd: site,
    shell: process.platform === 'win32',
    stdio: 'ignore',
  });
}

function run([file = '', ...args]: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    // On Windows the tools in .bin are command files, which only a shell starts.
    // CI=true makes some tools write colours into a file.
    const env = process.stdout.isTTY === true ? process.env : { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
    const child = spawn(file, args, {
      env,
      cwd: root,
      shell: process.platform === 'win32',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.on('error', (error) => resolve({ code: 1, output: `${output}${error.message}\n` }));
    child.on('close', (code) => resolve({ code, output }));
  });
}
