import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { findWall } from '../backends/process/try-wall.ts';
import { compiledAll } from './compile-bytecode.ts';
import { ensureEnvironment, type EnvironmentRequest } from './python-environment.ts';
import { planSetup } from './setup-plan.ts';

const LOCK = `six==1.17.0 \\
    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \\
    --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81
`;
const found = await findWall('auto');
const walled = { skip: found.note ?? false, timeout: 120_000 };

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-setup-'));
});
after(async () => {
  await compiledAll();
  await rm(folder, { recursive: true, force: true });
});

async function requestFor(name: string, setup?: readonly string[], lock = LOCK): Promise<EnvironmentRequest> {
  const packageFolder = join(folder, name);
  await mkdir(packageFolder, { recursive: true });
  await writeFile(join(packageFolder, 'requirements.lock'), lock);
  const release = { root: join(folder, 'root'), release: `@test/${name}@1.0.0`, packageDigest: `sha256:${name}` };
  return { ...release, packageFolder, requiresPython: '>=3.10', ...(setup === undefined ? {} : { setup }) };
}

test('only locked wheels unpacked by our own installer count as no code of the trainer', () => {
  assert.deepEqual(planSetup(undefined).kind, 'wheels');
  const full = ['uv', 'pip', 'sync', '--compile-bytecode', '--require-hashes', 'requirements.lock'];
  assert.deepEqual(planSetup(full), {
    kind: 'wheels',
    argv: ['uv', 'pip', 'sync', '--require-hashes', 'requirements.lock'],
  });
  for (const own of [
    ['python', 'setup.py'],
    ['uv', 'pip', 'install', '.'],
    ['uv', 'pip', 'sync', '--index-url', 'https://example.org', 'requirements.lock'],
    ['uv', 'pip', 'sync', 'other.txt'],
  ])
    assert.equal(planSetup(own).kind, 'own', own.join(' '));
});

test('packages lie on disk once for all environments, and their bytecode comes later', walled, async () => {
  const [one, two] = await Promise.all(
    ['one', 'two'].map(async (name) => ensureEnvironment(await requestFor(name, undefined, `# ${name}\n${LOCK}`))),
  );
  assert.ok(one?.python !== undefined && two?.python !== undefined);
  assert.notEqual(one.python, two.python, 'other locks, other environments');
  const library = (python: string) => join(python, '..', '..', 'lib');
  const sixOf = async (python: string) => {
    const [name = ''] = await readdir(library(python));
    return join(library(python), name, 'site-packages');
  };
  const [first, second] = await Promise.all([sixOf(one.python), sixOf(two.python)]);
  const [a, b] = await Promise.all([stat(join(first, 'six.py')), stat(join(second, 'six.py'))]);
  assert.equal(a.ino, b.ino, 'a link, not a copy');
  await compiledAll();
  for (const place of [first, second]) {
    const compiled = await readdir(join(place, '__pycache__'));
    assert.ok(
      compiled.some((name) => name.startsWith('six.')),
      compiled.join(),
    );
  }
});

test(
  "a setup of the trainer's own sees nothing of this machine, and cannot reach other environments",
  walled,
  async (t) => {
    const other = await ensureEnvironment(await requestFor('victim'));
    assert.ok(other?.python !== undefined);
    const victim = join(other.python, '..', '..');
    const secret = join(folder, 'secret');
    await writeFile(secret, 'secret');
    const program = `
import os, sys
worked = []
def attempt(what, action):
    try:
        action(); worked.append(what)
    except OSError:
        pass
attempt('reads a file of this machine', lambda: open(${JSON.stringify(secret)}))
attempt('writes to another environment', lambda: open(${JSON.stringify(join(victim, 'planted'))}, 'w'))
attempt('reads another environment', lambda: os.listdir(${JSON.stringify(victim)}))
attempt('reads the shared cache', lambda: os.listdir(${JSON.stringify(join(folder, 'root', 'uv-cache'))}))
os.makedirs(${JSON.stringify(join(folder, 'root', 'envs', 'planted'))}, exist_ok=True) # in its own /tmp
attempt('changes its package', lambda: open('planted', 'w'))
if 'secret' in repr(os.environ): worked.append('reads the password of an index')
attempt('reads the home', lambda: os.listdir(os.path.expanduser('~root')) and os.listdir('/root/.ssh'))
open(os.path.join(os.environ['VIRTUAL_ENV'], 'worked'), 'w').write(repr(worked))
os.execvp('uv', ['uv', 'pip', 'sync', '--require-hashes', 'requirements.lock'])
`;
    const request = await requestFor('hostile', ['python', 'setup.py']);
    await writeFile(join(request.packageFolder, 'setup.py'), program);
    // As npm sets it, and as an operator may: folders with an @, and an index with a password.
    const path = process.env['PATH'] ?? '';
    process.env['PATH'] = `${path}:/somewhere/node_modules/@npmcli/run-script/lib`;
    process.env['UV_EXTRA_INDEX_URL'] = 'https://somebody:secret@index.invalid/simple';
    t.after(() => {
      process.env['PATH'] = path;
      delete process.env['UV_EXTRA_INDEX_URL'];
    });
    const built = await ensureEnvironment(request);
    assert.ok(built?.python !== undefined);
    assert.equal(await readFile(join(built.python, '..', '..', 'worked'), 'utf8'), '[]');
    const { stdout } = await promisify(execFile)(built.python, ['-c', 'import six; print(six.__version__)']);
    assert.equal(stdout.trim(), '1.17.0');
    await compiledAll();
    const left = await readdir(join(folder, 'root', 'envs'));
    assert.deepEqual(
      left.filter((name) => name.includes('.') || name === 'planted'),
      [],
      'nothing is left beside the environments',
    );
  },
);

const canUnshare = spawnSync('unshare', ['-n', '-r', 'true'], { stdio: 'ignore' }).status === 0;
test(
  'without a network: one sentence with the command that prepares it ahead',
  {
    timeout: 120_000,
    skip: canUnshare ? false : 'this machine allows no network namespace',
  },
  async () => {
    const request = { ...(await requestFor('away')), root: join(folder, 'away-root') };
    const module = new URL('./python-environment.ts', import.meta.url).href;
    const code = `const m = await import(${JSON.stringify(module)});
    await m.ensureEnvironment(${JSON.stringify(request)}).catch((error) => console.log(JSON.stringify([error.code, error.message, error.hint])));
    process.exit(0);`;
    const argv = ['-n', '-r', process.execPath, '--input-type=module', '-e', code];
    const { stdout } = await promisify(execFile)('unshare', argv, { timeout: 100_000 });
    assert.deepEqual(JSON.parse(stdout), [
      'platform.environment',
      'The Python packages of @test/away@1.0.0 could not be downloaded: no network.',
      'While online, run: trainyard prepare @test/away@1.0.0',
    ]);
  },
);
