import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { compiledAll } from './compile-bytecode.ts';
import { ensureEnvironment, type EnvironmentProgress } from './python-environment.ts';
import { defaultPython } from './pythons.ts';

/** Two wheels: a small one, and a big one that comes slowly. Random bytes, which no packing makes smaller. */
const SIZES = { small: 2_000_000, big: 24_000_000 } as const;
const MAKE = `
import os, sys, zipfile
name, size, target = sys.argv[1], int(sys.argv[2]), sys.argv[3]
info = f'{name}-1.0.dist-info'
with zipfile.ZipFile(target, 'w') as wheel:
    wheel.writestr(f'{name}/__init__.py', '')
    wheel.writestr(f'{name}/data.bin', os.urandom(size))
    wheel.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n')
    wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(f'{info}/RECORD', f'{name}/__init__.py,,\\n{name}/data.bin,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n')
`;

let folder = '';
let server: Server;
let slow = true;
/** Bytes sent per wheel, and how often a whole one was begun. */
const sent = { small: 0, big: 0 };
const begun = { small: 0, big: 0 };
const wheels = new Map<string, Buffer>();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-broken-'));
  const python = (await defaultPython())?.path ?? 'python3';
  const lines: string[] = [];
  for (const [name, size] of Object.entries(SIZES)) {
    const file = join(folder, `${name}.whl`);
    await promisify(execFile)(python, ['-c', MAKE, name, String(size), file]);
    const bytes = await readFile(file);
    wheels.set(name, bytes);
    lines.push(`${name}==1.0 --hash=sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  }
  await mkdir(join(folder, 'package'));
  await writeFile(join(folder, 'package', 'requirements.lock'), `${lines.join('\n')}\n`);
  server = createServer(
    (request, response) =>
      void answer(request.url ?? '').then(({ type, bytes, name }) => {
        response.writeHead(bytes === null ? 404 : 200, { 'content-type': type, 'content-length': bytes?.length ?? 0 });
        if (bytes === null || name === null) return response.end(bytes ?? undefined);
        begun[name] += 1;
        return send(
          name,
          bytes,
          (piece) => response.write(piece),
          () => response.destroyed,
        ).then(() => response.end());
      }),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await compiledAll();
  await rm(folder, { recursive: true, force: true });
});

type Name = keyof typeof SIZES;
async function answer(url: string): Promise<{ type: string; bytes: Buffer | null; name: Name | null }> {
  const wheel = /^\/files\/(small|big)-1\.0-py3-none-any\.whl$/.exec(url)?.[1];
  if (wheel === 'small' || wheel === 'big')
    return { type: 'application/octet-stream', bytes: wheels.get(wheel) ?? null, name: wheel };
  const index = /^\/simple\/(small|big)\/$/.exec(url)?.[1];
  if (index === undefined) return { type: 'text/plain', bytes: null, name: null };
  const page = `<html><body><a href="/files/${index}-1.0-py3-none-any.whl">${index}-1.0-py3-none-any.whl</a></body></html>`;
  return { type: 'text/html', bytes: Buffer.from(page), name: null };
}

async function send(name: Name, bytes: Buffer, write: (piece: Buffer) => void, gone: () => boolean): Promise<void> {
  const piece = 800_000;
  for (let at = 0; at < bytes.length && !gone(); at += piece) {
    write(bytes.subarray(at, at + piece));
    sent[name] += Math.min(piece, bytes.length - at);
    if (slow && name === 'big') await sleep(300);
  }
}

test(
  'a download that breaks off goes on with what was there; its size and what is left are told',
  { timeout: 120_000 },
  async () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    process.env['UV_DEFAULT_INDEX'] = `http://127.0.0.1:${port}/simple`;
    const request = {
      ...{ root: join(folder, 'root'), release: '@test/broken@1.0.0', packageDigest: 'sha256:broken' },
      ...{ packageFolder: join(folder, 'package'), requiresPython: '>=3.10' },
    };
    const told: EnvironmentProgress[] = [];
    const cut = new AbortController();
    let ended = false;
    const halfway = (async () => {
      while (sent.big < SIZES.big * 0.6 && !ended) await sleep(20);
      cut.abort();
    })();
    await assert.rejects(
      ensureEnvironment(request, { report: (progress) => told.push(progress), signal: cut.signal }).finally(() => {
        ended = true;
      }),
      { name: 'AbortError' },
    );
    await halfway;
    const sized = told.filter(({ totalBytes }) => totalBytes !== undefined);
    assert.ok(sized.length > 0, told.map(({ sentence }) => sentence).join('\n'));
    assert.ok(sized.every(({ totalBytes = 0 }) => totalBytes <= 27_000_000 && totalBytes >= 1_900_000));
    const underWay = new Set(sized.map(({ bytes = 0 }) => bytes).filter((bytes) => bytes > SIZES.small * 1.1));
    assert.ok(underWay.size >= 3, `the big one moves while it comes: ${[...underWay].join(' ')}`);
    assert.ok(
      sized.some(({ secondsLeft }) => secondsLeft !== undefined),
      sized.map(({ sentence }) => sentence).join('\n'),
    );
    slow = false;
    const built = await ensureEnvironment(request);
    assert.ok(built?.python !== undefined);
    await promisify(execFile)(built.python, ['-c', 'import small, big']);
    assert.equal(begun.small, 1, 'what had arrived was not fetched again');
    assert.equal(begun.big, 2, 'the package under way begins anew: the installer keeps no halves');
    delete process.env['UV_DEFAULT_INDEX'];
  },
);
