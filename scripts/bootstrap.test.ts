import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';

// A small repository of its own with the real bootstrap and the real npm: no package to install, so no network.

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let home = '';
let clone = '';
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'trainyard-bootstrap-'));
});
after(() => rm(home, { recursive: true, force: true }));
beforeEach(async () => {
  clone = await mkdtemp(join(home, 'clone-'));
  await mkdir(join(clone, 'scripts'));
  await cp(join(import.meta.dirname, 'bootstrap.mjs'), join(clone, 'scripts', 'bootstrap.mjs'));
  await writeLock({});
  await writeFile(
    join(clone, 'scripts', 'test.ts'),
    `const args: string[] = process.argv.slice(2);
     if (args.includes('--wait')) { process.on('SIGTERM', () => process.exit(42)); setInterval(() => {}, 1000); }
     else process.exitCode = 3;
     console.log(JSON.stringify(args));`,
  );
});

test('the first start installs with one line, passes arguments and exit code on; the second does not install', async () => {
  const first = await ended(bootstrap(['test', '--only', 'a b']));
  const second = await ended(bootstrap(['test']));

  assert.deepEqual([first.code, first.stdout], [3, '["--only","a b"]\n']);
  assert.match(first.stderr, /^Installing packages \(first start only\): \d+ s\n$/);
  assert.deepEqual([second.code, second.stderr], [3, '']);
});

test('another lockfile installs again', async () => {
  await ended(bootstrap(['test']));
  await writeLock({ dependencies: {} });

  const again = await ended(bootstrap(['test']));

  assert.match(again.stderr, /^Installing packages \(the lockfile changed\)/);
});

test('two starts at once install once, one after the other', async () => {
  const both = await Promise.all([ended(bootstrap(['test'])), ended(bootstrap(['test']))]);

  assert.deepEqual(
    both.map(({ code }) => code),
    [3, 3],
  );
  const installs = both.filter(({ stderr }) => stderr.includes('Installing packages'));
  assert.equal(installs.length, 1);
});

test('the lock of a start that was killed is taken over', async () => {
  await mkdir(join(clone, '.trainyard'));
  await writeFile(join(clone, '.trainyard', 'install.lock'), 'killed');
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(join(clone, '.trainyard', 'install.lock'), longAgo, longAgo);

  const { code, stderr } = await ended(bootstrap(['test']));

  assert.equal(code, 3, stderr);
});

test('a signal reaches the command, and its exit code comes back', async () => {
  const child = bootstrap(['test', '--wait']);
  const result = ended(child);
  await once(child, '["--wait"]');

  child.kill('SIGTERM');

  assert.equal((await result).code, 42);
});

test('no registry in reach: one sentence, and the next start tries again', async () => {
  await writeLock({ dependencies: { semver: '7.8.6' } }, { 'node_modules/semver': { version: '7.8.6' } });

  const { code, stderr } = await ended(bootstrap(['test']));

  assert.equal(code, 1);
  assert.match(stderr, /The package registry cannot be reached: check the network or proxy/);
  assert.doesNotMatch(stderr, /at .*\.js/);
});

test('an unknown command names the known ones', async () => {
  const { code, stderr } = await ended(bootstrap(['tset']));

  assert.deepEqual([code, stderr], [1, 'Unknown command "tset": use one of start, test, demo, bench, check.\n']);
});

async function writeLock(root: Record<string, unknown>, packages: Record<string, unknown> = {}): Promise<void> {
  const manifest = { name: 'clone', version: '1.0.0', private: true, ...root };
  await writeFile(join(clone, 'package.json'), JSON.stringify(manifest));
  const lock = { name: 'clone', version: '1.0.0', lockfileVersion: 3, packages: { '': manifest, ...packages } };
  await writeFile(join(clone, 'package-lock.json'), JSON.stringify(lock));
}

/** Settings of an npm around this test do not reach the one under test; its registry is a port where nobody listens. */
function bootstrap(args: readonly string[]): ChildProcess {
  const outer = Object.entries(process.env).filter(([key]) => !key.toLowerCase().startsWith('npm_'));
  const env = {
    ...Object.fromEntries(outer),
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_fetch_retries: '0',
    npm_config_cache: join(home, 'npm-cache'),
  };
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  return spawn(process.execPath, [join(clone, 'scripts', 'bootstrap.mjs'), ...args], {
    cwd: clone,
    env,
    stdio: [...stdio],
  });
}

function ended(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr?.on('data', (chunk) => (stderr += String(chunk)));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

function once(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve) => {
    child.stdout?.on('data', (chunk) => {
      if (String(chunk).includes(text)) resolve();
    });
  });
}
