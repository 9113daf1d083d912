import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually } from '../testing/index.ts';
import { compiledAll } from './compile-bytecode.ts';
import { readLockFile } from './lock-file.ts';
import {
  describeEnvironment,
  ensureEnvironment,
  EnvironmentError,
  type EnvironmentProgress,
  type EnvironmentRequest,
} from './python-environment.ts';
import { findPythons, fitsPython } from './pythons.ts';
import { readyPackages } from './ready-packages.ts';

/** One small pure package, as it lies on the public index. */
const LOCK = `six==1.17.0 \\
    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \\
    --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81
`;

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-env-'));
});
after(async () => {
  await compiledAll();
  await rm(folder, { recursive: true, force: true });
});

async function requestFor(
  name: string,
  lock = LOCK,
  change: Partial<EnvironmentRequest> = {},
): Promise<EnvironmentRequest> {
  const packageFolder = join(folder, name);
  await mkdir(packageFolder, { recursive: true });
  await writeFile(join(packageFolder, 'requirements.lock'), lock);
  const request = {
    root: join(folder, 'root'),
    release: `@test/${name}@1.0.0`,
    packageDigest: `sha256:${name}`,
    packageFolder,
  };
  return { ...request, requiresPython: '>=3.10', ...change };
}

/** Whether an installer still works on this environment. */
async function runsIn(place: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.includes(`VIRTUAL_ENV=${place}`)
        ? readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
        : '';
    }),
  );
  return commands.some((command) => command.startsWith('sleep\0'));
}

async function version(python: string): Promise<string> {
  const { stdout } = await promisify(execFile)(python, ['-c', 'import six; print(six.__version__)']);
  return stdout.trim();
}

test('C42 first use builds, second use is at once, progress is told', { timeout: 120_000 }, async () => {
  const request = await requestFor('first');
  assert.deepEqual(await readyPackages(request.root), []);
  const described = await describeEnvironment(request);
  assert.deepEqual([described.needed, described.ready, described.packages], [true, false, 1]);
  const told: EnvironmentProgress[] = [];
  const both = await Promise.all(
    [1, 2].map(() => ensureEnvironment(request, { report: (progress) => told.push(progress) })),
  );
  assert.deepEqual(both[0], both[1]);
  assert.equal(await version(both[0]?.python ?? ''), '1.17.0');
  assert.ok(told.some(({ phase }) => phase === 'resolve'));
  assert.equal(
    told.filter(({ sentence }) => sentence === 'Installing Python packages: 1 of 1').length,
    1,
    'built once',
  );
  const before = performance.now();
  assert.deepEqual(await ensureEnvironment(request), both[0]);
  assert.ok(performance.now() - before < 500);
  assert.equal((await describeEnvironment(request)).ready, true);
  assert.deepEqual(await readyPackages(request.root), [request.packageDigest]);
});

test(
  'C42 killed half-way: the lock of the dead is taken over and the half environment is built anew',
  { timeout: 120_000 },
  async () => {
    const request = await requestFor('killed', LOCK, { setup: ['sleep', '60'] });
    const module = new URL('./python-environment.ts', import.meta.url).href;
    const code = `const m = await import(${JSON.stringify(module)}); await m.ensureEnvironment(${JSON.stringify(request)});`;
    const builder = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
    const { folder: place } = await describeEnvironment(request);
    assert.ok(place !== null);
    const config = join(place, 'pyvenv.cfg');
    await eventually('half-way', () => runsIn(place), 60_000);
    await access(config);
    builder.kill('SIGKILL');
    await once(builder, 'exit');
    assert.equal((await describeEnvironment(request)).ready, false);
    await access(`${place}.lock`);
    await writeFile(join(place, 'half'), '');
    // The same place (the key is the same) with a setup that ends: a program of the package, without a shell.
    await writeFile(join(request.packageFolder, 'sleep'), '#!/bin/sh\nexec uv pip sync requirements.lock\n', {
      mode: 0o755,
    });
    const old = process.env['PATH'] ?? '';
    process.env['PATH'] = `${request.packageFolder}:${old}`;
    try {
      const built = await ensureEnvironment(request);
      assert.equal(await version(built?.python ?? ''), '1.17.0');
    } finally {
      process.env['PATH'] = old;
    }
    assert.ok(!(await readdir(place)).includes('half'));
    assert.deepEqual(
      (await readdir(join(request.root, 'envs'))).filter((name) => name.includes('.lock')),
      [],
    );
  },
);

test('an index that cannot be reached is one sentence with what to do', { timeout: 120_000 }, async () => {
  const lock = LOCK.replaceAll('six==1.17.0', 'idna==3.10');
  const request = await requestFor('offline', lock, {
    root: join(folder, 'offline-root'),
    setup: ['uv', 'pip', 'sync', '--offline', '--require-hashes', 'requirements.lock'],
  });
  await assert.rejects(ensureEnvironment(request), (error) => {
    assert.ok(error instanceof EnvironmentError);
    assert.equal(error.code, 'platform.environment');
    assert.match(error.message, /no network/);
    assert.match(error.hint, /trainyard prepare @test\/offline@1\.0\.0/);
    assert.ok(error.lines.length > 0 && error.lines.length <= 50);
    return true;
  });
  assert.equal((await describeEnvironment(request)).ready, false);
});

test('other bytes than the locked ones are refused', { timeout: 120_000 }, async () => {
  const lock = `six==1.17.0 --hash=sha256:${'0'.repeat(64)}\n`;
  const request = await requestFor('forged', lock, { root: join(folder, 'forged-root') });
  await assert.rejects(ensureEnvironment(request), /not the one that was locked/);
});

test('an abort ends the build and leaves no lock', { timeout: 60_000 }, async () => {
  const request = await requestFor('aborted', LOCK, { setup: ['sleep', '61'] });
  const controller = new AbortController();
  const building = ensureEnvironment(request, { signal: controller.signal });
  setTimeout(() => controller.abort(), 300);
  await assert.rejects(building, { name: 'AbortError' });
  const { folder: place } = await describeEnvironment(request);
  await assert.rejects(readFile(`${place}.lock`));
});

test('a release without Python needs none; a missing Python names those that are there', async () => {
  const request = await requestFor('none');
  const { requiresPython: _, ...plain } = request;
  assert.equal(await ensureEnvironment(plain), null);
  const described = await describeEnvironment({ ...request, requiresPython: '>=3.99' });
  const [first] = await findPythons();
  assert.ok(described.problem?.includes('needs Python >=3.99') && described.problem.includes(first?.version ?? 'none'));
  await assert.rejects(ensureEnvironment({ ...request, requiresPython: '>=3.99' }), EnvironmentError);
  await assert.rejects(ensureEnvironment(await requestFor('loose', 'six\n')), /does not pin "six"/);
});

test('lock files are counted, ranges are read', () => {
  const text = `# by uv\n--index-url https://pypi.org/simple\na==1 ; sys_platform == 'win32' \\\n  --hash=sha256:aa\n    # via b\nb[x]==2.0 --hash=sha256:bb\n`;
  const read = readLockFile(text);
  assert.deepEqual(read, { count: 2, names: ['a', 'b'], unpinned: null, isSelfContained: false });
  const loose = [
    '-r more.txt',
    '--find-links wheels',
    './a.whl --hash=sha256:aa',
    'a @ file:///a.whl --hash=sha256:aa',
  ];
  for (const line of loose) assert.equal(readLockFile(`${LOCK}${line}\n`).isSelfContained, false, line);
  assert.equal(
    readLockFile(`# see https://example.org/a\n${LOCK}    # via -r requirements.in\n`).isSelfContained,
    true,
  );
  const fits = [
    ['3.11.7', '>=3.10', true],
    ['3.11.7', '>=3.10,<3.13', true],
    ['3.13.0', '>=3.10,<3.13', false],
    ['3.11.7', '3.11', true],
    ['3.11.7', '==3.1', false],
    ['3.12.1', '==3.12.*', true],
    ['3.12.1', '~=3.10', true],
    ['3.12.1', '~=3.10.2', false],
    ['3.12.1', 'latest', false],
  ] as const;
  for (const [python, range, expected] of fits) assert.equal(fitsPython(python, range), expected, `${python} ${range}`);
});
