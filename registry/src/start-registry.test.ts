import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { startRegistry, type Registry } from './start-registry.ts';
import type { VisibleVersions } from './visible-versions.ts';

const secret = 'the boot secret of this test';
const withSecret = { authorization: `Bearer ${secret}` };
const run = promisify(execFile);

let folder = '';
let hub: Server;
let hubUrl = '';
let registry: Registry;
/** What the hub shows, by package name; a name that is not here is answered 404. */
const shown = new Map<string, VisibleVersions | 'no answer' | 'nonsense'>();
let packageNumber = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-registry-'));
  hub = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://hub');
    if (url.pathname !== '/internal/npm/visible' || request.headers.authorization !== withSecret.authorization) {
      response.writeHead(401).end();
      return;
    }
    const answer = shown.get(url.searchParams.get('name') ?? '');
    if (answer === 'no answer') request.socket.destroy();
    else if (answer === 'nonsense') response.end('{"versions": "all of them"}');
    else if (answer === undefined) response.writeHead(404).end();
    else response.end(JSON.stringify(answer));
  });
  hubUrl = await new Promise((resolve) => {
    hub.listen(0, '127.0.0.1', () => {
      const address = hub.address();
      resolve(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`);
    });
  });
  registry = await startRegistry({ storage: join(folder, 'storage'), secret, hubUrl });
});

after(async () => {
  await registry.close();
  hub.closeAllConnections();
  hub.close();
  await rm(folder, { recursive: true, force: true });
});

let name = '';
beforeEach(() => {
  packageNumber += 1;
  name = `@ada/trainer-${packageNumber}`;
});

test('a stranger may neither write, read, search nor log in', async () => {
  await publish(name, '1.0.0');
  show(name, { versions: ['1.0.0'], latest: '1.0.0' });

  const answers = await Promise.all([
    fetch(`${registry.url}/${name}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{}' }),
    fetch(`${registry.url}/${name}`),
    fetch(`${registry.url}/${name}`, { headers: { authorization: 'Bearer something else' } }),
    fetch(`${registry.url}/${name}`, { headers: { authorization: `Basic ${btoa(`hub:${secret}`)}` } }),
    fetch(`${registry.url}/-/v1/search?text=trainer`),
    fetch(`${registry.url}/-/user/org.couchdb.user:eve`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'eve', password: 'secret-secret' }),
    }),
  ]);

  assert.deepEqual(
    answers.map(({ status }) => status),
    [401, 401, 401, 401, 401, 401],
  );
});

test('a version the hub does not show is invisible, its tarball and its time too', async () => {
  await publish(name, '1.0.0');
  await publish(name, '1.1.0');
  show(name, { versions: ['1.0.0'], latest: '1.0.0' });

  const manifest = await getJson(`/${name}`);
  const hidden = await get(`/${name}/1.1.0`);
  const hiddenTarball = await get(`/${name}/-/${tarballName(name, '1.1.0')}`);
  const shownTarball = await get(`/${name}/-/${tarballName(name, '1.0.0')}`);

  assert.deepEqual(Object.keys(manifest.versions), ['1.0.0']);
  assert.deepEqual(manifest['dist-tags'], { latest: '1.0.0' });
  assert.ok(!JSON.stringify(manifest).includes('1.1.0'));
  assert.equal(hidden.status, 404);
  assert.equal(hiddenTarball.status, 404);
  assert.equal(shownTarball.status, 200);
});

test('a package of which nothing is shown does not exist', async () => {
  await publish(name, '1.0.0');

  const manifest = await get(`/${name}`);
  const tarball = await get(`/${name}/-/${tarballName(name, '1.0.0')}`);

  assert.deepEqual([manifest.status, tarball.status], [404, 404]);
});

test('no answer from the hub, or nonsense, means nothing is visible; the next answer counts at once', async () => {
  await publish(name, '1.0.0');

  shown.set(name, 'no answer');
  const silent = await get(`/${name}`);
  shown.set(name, 'nonsense');
  const nonsense = await get(`/${name}/-/${tarballName(name, '1.0.0')}`);
  show(name, { versions: ['1.0.0'], latest: '1.0.0' });
  const answered = await get(`/${name}`);

  assert.deepEqual([silent.status, nonsense.status, answered.status], [404, 404, 200]);
});

test('a release the hub publishes shows up within the two seconds an answer is kept', async () => {
  await publish(name, '1.0.0');
  assert.equal((await get(`/${name}`)).status, 404);

  show(name, { versions: ['1.0.0'], latest: '1.0.0' });

  const deadline = Date.now() + 4_000;
  while ((await get(`/${name}`)).status !== 200) assert.ok(Date.now() < deadline, 'still hidden after 4 s');
});

test('a version is written once: 409 the second time, with the same bytes or others', async () => {
  await publish(name, '1.0.0');

  const again = await put(name, '1.0.0', 'other bytes');

  assert.equal(again.status, 409);
});

test('nothing is ever removed, not even by the hub', async () => {
  await publish(name, '1.0.0');
  show(name, { versions: ['1.0.0'], latest: '1.0.0' });

  const whole = await fetch(`${registry.url}/${name}/-rev/1`, { method: 'DELETE', headers: withSecret });
  const changed = await fetch(`${registry.url}/${name}/-rev/1`, {
    method: 'PUT',
    headers: { ...withSecret, 'content-type': 'application/json' },
    body: JSON.stringify({ _id: name, name, versions: {}, 'dist-tags': {} }),
  });
  const still = await get(`/${name}/1.0.0`);

  assert.deepEqual([whole.status, changed.status, still.status], [403, 403, 200]);
});

test('the unmodified npm client views and installs what is shown, reads the deprecation, and does not see the rest', async () => {
  await publish(name, '1.0.0');
  await publish(name, '2.0.0');
  show(name, { versions: ['1.0.0'], latest: '1.0.0', deprecated: { '1.0.0': 'use the next one' } });
  const home = await mkdtemp(join(folder, 'client-'));
  await writeFile(join(home, 'package.json'), '{ "name": "client", "private": true }');
  const host = registry.url.replace('http:', '');
  await writeFile(
    join(home, '.npmrc'),
    `@ada:registry=${registry.url}/\n${host}/:_authToken=${secret}\ncache=${join(home, 'cache')}\naudit=false\nfund=false\nupdate-notifier=false\n`,
  );

  const versions = await npm(home, ['view', name, 'versions', '--json']);
  const deprecated = await npm(home, ['view', `${name}@1.0.0`, 'deprecated']);
  await npm(home, ['install', name]);
  const installed = await readFile(join(home, 'node_modules', name, 'index.js'), 'utf8');
  const hidden = npm(home, ['install', `${name}@2.0.0`]);

  assert.deepEqual([JSON.parse(versions)].flat(), ['1.0.0']);
  assert.equal(deprecated.trim(), 'use the next one');
  assert.equal(installed, `${name} 1.0.0`);
  await assert.rejects(hidden, /ETARGET|notarget/);
});

test('tarball addresses carry the prefix and the host the reader used', async () => {
  const prefixed = await startRegistry({ storage: join(folder, 'prefixed'), secret, hubUrl, urlPrefix: '/npm/' });
  try {
    await publish(name, '1.0.0', prefixed);
    show(name, { versions: ['1.0.0'], latest: '1.0.0' });

    const response = await fetch(`${prefixed.url}/${name}`, {
      headers: { ...withSecret, 'x-forwarded-proto': 'https' },
    });

    const manifest = parseManifest(await response.json());
    const expected = `${prefixed.url.replace('http:', 'https:')}/npm/${name}/-/${tarballName(name, '1.0.0')}`;
    assert.equal(manifest.versions['1.0.0']?.dist?.tarball, expected);
  } finally {
    await prefixed.close();
  }
});

test('a registry plugin that does not load stops the start, with its name', async () => {
  const plugins = join(folder, 'damaged-plugins');
  const damaged = join(plugins, 'verdaccio-hub-only');
  await mkdir(damaged, { recursive: true });
  await writeFile(join(damaged, 'package.json'), '{ "type": "module", "main": "hub-only.js" }');
  await writeFile(join(damaged, 'hub-only.js'), 'throw new Error("damaged on purpose");');

  const start = startRegistry({ storage: join(folder, 'damaged'), secret, hubUrl, plugins });

  await assert.rejects(start, /registry-plugin-missing: hub-only, published-only did not load/);
});

test('a tarball whose version was never written is removed at the start, and the version can be written again', async () => {
  const storage = join(folder, 'killed');
  const first = await startRegistry({ storage, secret, hubUrl });
  await publish(name, '1.0.0', first);
  await first.close();
  const unfinished = join(storage, name, tarballName(name, '1.1.0'));
  await writeFile(unfinished, 'half a release');

  // Before the start: Verdaccio's own index asks about every package then, and an answer is kept for a while.
  show(name, { versions: ['1.0.0', '1.1.0'], latest: '1.1.0' });

  const second = await startRegistry({ storage, secret, hubUrl });
  try {
    const again = await put(name, '1.1.0', 'index', second);
    const both = await fetch(`${second.url}/${name}`, { headers: withSecret });

    assert.equal(again.status, 201);
    assert.deepEqual(Object.keys(parseManifest(await both.json()).versions), ['1.0.0', '1.1.0']);
  } finally {
    await second.close();
  }
});

// What the hub does ---------------------------------------------------------------------------------------------------

function show(packageName: string, visible: Partial<VisibleVersions>): void {
  shown.set(packageName, { versions: [], latest: null, deprecated: {}, ...visible });
}

async function publish(packageName: string, version: string, to = registry): Promise<void> {
  const response = await put(packageName, version, `${packageName} ${version}`, to);
  assert.equal(response.status, 201, await response.text());
}

/** The PUT of `npm publish`, built as the hub builds it: one version, one attachment. */
async function put(packageName: string, version: string, content: string, to = registry): Promise<Response> {
  const bytes = await pack(packageName, version, content);
  const file = tarballName(packageName, version);
  const dist = {
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    shasum: createHash('sha1').update(bytes).digest('hex'),
    tarball: `${to.url}/${packageName}/-/${file}`,
  };
  return fetch(`${to.url}/${packageName.replace('/', '%2f')}`, {
    method: 'PUT',
    headers: { ...withSecret, 'content-type': 'application/json' },
    body: JSON.stringify({
      _id: packageName,
      name: packageName,
      'dist-tags': { latest: version },
      versions: { [version]: { name: packageName, version, main: 'index.js', dist } },
      _attachments: {
        [file]: { content_type: 'application/octet-stream', data: bytes.toString('base64'), length: bytes.length },
      },
    }),
  });
}

async function pack(packageName: string, version: string, content: string): Promise<Buffer> {
  const home = await mkdtemp(join(folder, 'pack-'));
  await mkdir(join(home, 'package'));
  await writeFile(join(home, 'package', 'package.json'), JSON.stringify({ name: packageName, version }));
  await writeFile(join(home, 'package', 'index.js'), content);
  await run('tar', ['-czf', 'package.tgz', 'package'], { cwd: home });
  return readFile(join(home, 'package.tgz'));
}

function tarballName(packageName: string, version: string): string {
  return `${packageName.split('/').at(-1)}-${version}.tgz`;
}

// What a reader does --------------------------------------------------------------------------------------------------

async function get(path: string): Promise<Response> {
  const response = await fetch(`${registry.url}${path}`, { headers: withSecret });
  await response.arrayBuffer();
  return response;
}

interface ReadManifest {
  readonly versions: Record<string, { readonly dist?: { readonly tarball: string } }>;
  readonly 'dist-tags': Record<string, string>;
}

async function getJson(path: string): Promise<ReadManifest> {
  const response = await fetch(`${registry.url}${path}`, { headers: withSecret });
  return parseManifest(await response.json());
}

function parseManifest(body: unknown): ReadManifest {
  assert.ok(typeof body === 'object' && body !== null && 'versions' in body, JSON.stringify(body));
  return body as unknown as ReadManifest;
}

/** npm's own settings of this run (it may itself be started by npm) must not reach the client under test. */
async function npm(home: string, args: readonly string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.toLowerCase().startsWith('npm_')));
  const { stdout } = await run('npm', args, { cwd: home, env: { ...env, HOME: home } });
  return stdout;
}
