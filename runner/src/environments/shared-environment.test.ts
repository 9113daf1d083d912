import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compiledAll } from './compile-bytecode.ts';
import {
  describeEnvironment,
  ensureEnvironment,
  type EnvironmentProgress,
  type EnvironmentRequest,
} from './python-environment.ts';
import { readyPackages } from './ready-packages.ts';

const LOCK = `six==1.17.0 \\
    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \\
    --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81
`;

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'trainyard-shared-'));
});
after(async () => {
  await compiledAll();
  await rm(root, { recursive: true, force: true });
});

async function requestFor(name: string, files: Readonly<Record<string, string>>, setup?: readonly string[]) {
  const packageFolder = join(root, 'packages', name);
  await mkdir(packageFolder, { recursive: true });
  for (const [file, text] of Object.entries({ 'requirements.lock': LOCK, ...files }))
    await writeFile(join(packageFolder, file), text);
  const request = { root, release: `@test/${name}@1.0.0`, packageDigest: `sha256:${name}`, packageFolder };
  return {
    ...request,
    requiresPython: '>=3.10',
    ...(setup === undefined ? {} : { setup }),
  } satisfies EnvironmentRequest;
}

async function folderOf(request: EnvironmentRequest): Promise<string | null> {
  return (await describeEnvironment(request)).folder;
}

test(
  'packages with the same lock share one environment; the next one is ready at once',
  { timeout: 120_000 },
  async () => {
    const first = await requestFor('first', { 'README.md': 'one' });
    const second = await requestFor('second', { 'README.md': 'one, with a line more' });
    const built = await ensureEnvironment(first);
    assert.deepEqual(await readyPackages(root), ['sha256:first']);
    assert.equal((await describeEnvironment(second)).ready, true);
    const told: EnvironmentProgress[] = [];
    const report = (progress: EnvironmentProgress): void => void told.push(progress);
    // Many at once, as jobs of several releases may.
    const third = await requestFor('third', {}, ['uv', 'pip', 'sync', '--compile-bytecode', 'requirements.lock']);
    const all = await Promise.all(
      [second, third, second, third].map((request) => ensureEnvironment(request, { report })),
    );
    for (const each of all) assert.deepEqual(each, built);
    assert.deepEqual(told, [], 'nothing was built');
    assert.deepEqual([...(await readyPackages(root))].sort(), ['sha256:first', 'sha256:second', 'sha256:third']);
    await compiledAll();
    assert.equal((await readdir(join(root, 'envs'))).length, 1);

    // Killed while it was deleted or built anew: none of its packages is ready, however many marks there are.
    await rm(join((await folderOf(first)) ?? '', '.complete'));
    assert.deepEqual(await readyPackages(root), []);
    assert.deepEqual(await ensureEnvironment(second), built);
    assert.deepEqual([...(await readyPackages(root))].sort(), ['sha256:first', 'sha256:second', 'sha256:third']);
  },
);

test('what may read files of its package never shares', async () => {
  const setup = ['python', 'setup.py'];
  const own = await Promise.all(['own-a', 'own-b'].map((name) => requestFor(name, {}, setup).then(folderOf)));
  const more = { 'requirements.lock': `${LOCK}-r more.txt\n` };
  const linked = await Promise.all(['linked-a', 'linked-b'].map((name) => requestFor(name, more).then(folderOf)));
  const plain = await requestFor('plain', {}).then(folderOf);
  assert.equal(new Set([...own, ...linked, plain]).size, 5);
});
