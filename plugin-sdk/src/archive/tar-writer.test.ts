import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { extractPackage, readTarEntry } from './tar-extract.ts';
import { indexPackage } from './tar-index.ts';
import { chunks, rawEntry, tgz } from './tar-fixture.ts';
import { pathProblem, PathSet } from './safe-path.ts';
import { PACKAGE_LIMITS } from './limits.ts';
import { writePackage } from './tar-writer.ts';

const folder = await mkdtemp(join(tmpdir(), 'archive-'));
after(() => rm(folder, { recursive: true, force: true }));

const segment = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map((text) => text.normalize('NFC'));
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const files = fc
  .array(fc.record({ path, bytes: fc.uint8Array({ maxLength: 1500 }), executable: fc.boolean() }), { maxLength: 8 })
  .map((list) => {
    const seen = new PathSet();
    return list.filter(
      (file) => pathProblem(`package/${file.path}`, PACKAGE_LIMITS) === null && seen.add(file.path, 'file') === null,
    );
  });

describe('writePackage', () => {
  it('is indexed to what was written, and its bytes do not depend on the order', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (list) => {
        const bytes = writePackage(list);
        const result = await indexPackage(chunks(bytes, 333));
        assert.ok('index' in result, JSON.stringify(result));
        const wanted = list.map((file) => ({
          path: file.path,
          mode: file.executable ? 0o755 : 0o644,
          sha256: `sha256:${createHash('sha256').update(file.bytes).digest('hex')}`,
        }));
        const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
        assert.deepEqual(
          result.index.entries.map(({ path: name, mode, sha256 }) => ({ path: name, mode, sha256 })).sort(byPath),
          wanted.sort(byPath),
        );
        assert.ok(writePackage([...list].reverse()).equals(bytes));
      }),
      { numRuns: 150, examples: [[[{ path: 'constructor', bytes: Uint8Array.of(0), executable: false }]]] },
    );
  });

  it('refuses names the reader would refuse', () => {
    for (const name of ['../a', '/a', 'a\\b', 'con']) {
      assert.throws(() => writePackage([{ path: name, bytes: Buffer.alloc(0) }]), RangeError);
    }
    assert.throws(() => writePackage(['a', 'A'].map((name) => ({ path: name, bytes: Buffer.alloc(0) }))), RangeError);
  });
});

describe('extractPackage', () => {
  it('writes files with their modes and reads single ones back', async () => {
    const file = join(folder, 'good.tgz');
    const bytes = writePackage([
      { path: 'a/b.txt', bytes: Buffer.from('text') },
      { path: 'run', bytes: Buffer.from('#!'), executable: true },
    ]);
    await writeFile(file, bytes);
    const result = await extractPackage(file, join(folder, 'good'));
    assert.ok('index' in result);
    assert.equal(await readFile(join(folder, 'good/a/b.txt'), 'utf8'), 'text');
    assert.equal((await stat(join(folder, 'good/run'))).mode & 0o777, 0o755);
    const entry = result.index.entries.find((one) => one.path === 'run');
    assert.ok(entry !== undefined);
    assert.equal((await readTarEntry(file, entry)).toString(), '#!');
    await assert.rejects(extractPackage(file, join(folder, 'good')), /EEXIST/);
  });

  it('writes nothing of a refused archive', async () => {
    const file = join(folder, 'bad.tgz');
    await writeFile(file, tgz(rawEntry({ name: 'package/a' }), rawEntry({ name: 'package/../../b' })));
    const result = await extractPackage(file, join(folder, 'bad'));
    assert.ok('findings' in result);
    await assert.rejects(stat(join(folder, 'bad')), /ENOENT/);
  });
});
