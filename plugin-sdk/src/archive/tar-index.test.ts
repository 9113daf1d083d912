import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { indexPackage, iterateTarGz } from './tar-index.ts';
import { ArchiveFault } from './archive-fault.ts';
import { PACKAGE_LIMITS } from './limits.ts';
import { chunks, END, pax, rawEntry, tgz } from './tar-fixture.ts';
import { writePackage } from './tar-writer.ts';

async function checkOf(bytes: Uint8Array): Promise<string> {
  const result = await indexPackage(chunks(bytes));
  if ('index' in result) return 'accepted';
  assert.equal(result.findings.length, 1);
  assert.ok((result.findings[0]?.fix.length ?? 0) > 0);
  return result.findings[0]?.check ?? 'none';
}

const plain = rawEntry({ name: 'package/a.txt', data: 'hello' });
const packed = tgz(plain);
function named(name: string): Buffer {
  return tgz(rawEntry({ name, data: 'x' }));
}

const cases: readonly (readonly [string, string, () => Uint8Array])[] = [
  ['a plain file', 'accepted', () => packed],
  ['zeros after the gzip member', 'accepted', () => Buffer.concat([packed, Buffer.alloc(512)])],
  ['record padding', 'accepted', () => tgz(plain, END, Buffer.alloc(8192))],
  ['a folder entry', 'accepted', () => tgz(rawEntry({ name: 'package/', type: '5', mode: 0o755 }), plain)],
  ['an old NUL type', 'accepted', () => tgz(rawEntry({ name: 'package/a', type: '\0', data: 'x' }))],
  ['a GNU header', 'accepted', () => tgz(rawEntry({ name: 'package/a', magic: 'ustar  \0' }))],
  ['a zip', 'unsupported-media', () => Buffer.from('PK\x03\x04 and more')],
  ['nothing', 'unsupported-media', () => Buffer.alloc(0)],
  ['gzip of a text', 'unsupported-media', () => gzipSync(Buffer.alloc(2000, 'text '))],
  ['a truncated archive', 'archive-malformed', () => packed.subarray(0, packed.length - 20)],
  ['a missing checksum', 'archive-malformed', () => packed.subarray(0, packed.length - 3)],
  ['trailing bytes', 'archive-malformed', () => Buffer.concat([packed, Buffer.from('x')])],
  ['too much padding', 'archive-malformed', () => Buffer.concat([packed, Buffer.alloc(513)])],
  ['two gzip members', 'archive-malformed', () => Buffer.concat([packed, packed])],
  ['a gzip extra field', 'archive-malformed', () => withExtra(packed)],
  ['a wrong gzip checksum', 'archive-malformed', () => flipped(packed, packed.length - 8)],
  ['a wrong gzip length', 'archive-malformed', () => flipped(packed, packed.length - 1)],
  [
    'a wrong header checksum',
    'archive-malformed',
    () => tgz(plain, rawEntry({ name: 'package/b', breakChecksum: true })),
  ],
  ['no end marker', 'archive-malformed', () => gzipSync(plain)],
  ['one end block', 'archive-malformed', () => gzipSync(Buffer.concat([plain, Buffer.alloc(512)]))],
  ['bytes after the end', 'archive-malformed', () => gzipSync(Buffer.concat([plain, END, plain]))],
  ['endless padding', 'archive-malformed', () => tgz(plain, Buffer.alloc(30 * 1024))],
  ['a size beyond the end', 'archive-malformed', () => tgz(rawEntry({ name: 'package/a', data: 'x', size: 5000 }))],
  ['a folder with a size', 'archive-malformed', () => tgz(rawEntry({ name: 'package/d', type: '5', data: 'x' }))],
  ['a base-256 size', 'archive-malformed', () => tgz(base256())],
  ['a link target on a file', 'archive-malformed', () => tgz(rawEntry({ name: 'package/a', link: '/etc/passwd' }))],
  ['a symbolic link', 'archive-link', () => tgz(rawEntry({ name: 'package/a', type: '2', link: '../../x' }))],
  ['a hard link', 'archive-link', () => tgz(rawEntry({ name: 'package/a', type: '1', link: 'package/b' }))],
  ['a PAX link path', 'archive-link', () => tgz(pax([['linkpath', 'x']]), plain)],
  ['a FIFO', 'archive-entry-type', () => tgz(rawEntry({ name: 'package/a', type: '6' }))],
  ['a device', 'archive-entry-type', () => tgz(rawEntry({ name: 'package/a', type: '3' }))],
  ['setuid', 'archive-mode', () => tgz(rawEntry({ name: 'package/a', mode: 0o4755 }))],
  ['world-writable', 'archive-mode', () => tgz(rawEntry({ name: 'package/a', mode: 0o666 }))],
  ['a name twice', 'archive-duplicate', () => tgz(plain, plain)],
  ['case folding', 'archive-duplicate', () => tgz(plain, rawEntry({ name: 'package/A.TXT' }))],
  [
    'folder case folding',
    'archive-duplicate',
    () => tgz(rawEntry({ name: 'package/d/x' }), rawEntry({ name: 'package/D/y' })),
  ],
  ['a file as a folder', 'archive-duplicate', () => tgz(plain, rawEntry({ name: 'package/a.txt/b' }))],
  ['two roots', 'archive-layout', () => tgz(plain, rawEntry({ name: 'other/a' }))],
  ['traversal', 'archive-unsafe-path', () => named('package/../../evil')],
  ['an absolute path', 'archive-unsafe-path', () => named('/etc/passwd')],
  ['a drive', 'archive-unsafe-path', () => named('C:/x')],
  ['a backslash', 'archive-unsafe-path', () => named('package\\a')],
  ['a dot part', 'archive-unsafe-path', () => named('./package/a')],
  ['an empty part', 'archive-unsafe-path', () => named('package//a')],
  ['a control character', 'archive-unsafe-path', () => named('package/a\nb')],
  ['a direction character', 'archive-unsafe-path', () => named('package/a\u202egpj.exe')],
  ['a zero-width character', 'archive-unsafe-path', () => named('package/a\u200bb')],
  ['a decomposed name', 'archive-unsafe-path', () => named('package/a\u0308')],
  ['a trailing dot', 'archive-unsafe-path', () => named('package/a.')],
  ['a device name', 'archive-unsafe-path', () => named('package/aux.txt')],
  ['a deep path', 'archive-unsafe-path', () => named(`package/${'a/'.repeat(17)}b`)],
  ['a PAX path', 'accepted', () => tgz(pax([['path', 'package/long']]), plain)],
  ['a global comment', 'accepted', () => tgz(pax([['comment', 'c0ffee']], 'g'), plain)],
  ['a PAX path that escapes', 'archive-unsafe-path', () => tgz(pax([['path', 'package/../../x']]), plain)],
  [
    'a raw name that escapes behind PAX',
    'archive-unsafe-path',
    () => tgz(pax([['path', 'package/a']]), rawEntry({ name: '../x' })),
  ],
  ['an unknown PAX key', 'archive-malformed', () => tgz(pax([['SCHILY.xattr.user', 'x']]), plain)],
  ['a sparse PAX key', 'archive-link', () => tgz(pax([['GNU.sparse.name', 'x']]), plain)],
  ['a global path', 'archive-malformed', () => tgz(pax([['path', 'package/b']], 'g'), plain)],
  [
    'a PAX key twice',
    'archive-malformed',
    () =>
      tgz(
        pax([
          ['path', 'package/b'],
          ['path', 'package/c'],
        ]),
        plain,
      ),
  ],
  ['a NUL in PAX', 'archive-malformed', () => tgz(pax([['path', 'package/b\0c']]), plain)],
  [
    'a wrong PAX length',
    'archive-malformed',
    () => tgz(rawEntry({ name: 'x', type: 'x', data: '99 path=package/b\n' }), plain),
  ],
  ['two PAX headers', 'archive-malformed', () => tgz(pax([['mtime', '1']]), pax([['mtime', '1']]), plain)],
  ['PAX before the end', 'archive-malformed', () => tgz(plain, pax([['mtime', '1']]))],
  [
    'a PAX size that hides an entry',
    'archive-malformed',
    () => tgz(pax([['size', '512']]), rawEntry({ name: 'package/a' }), plain),
  ],
  [
    'a text that is not UTF-8',
    'text-unsafe',
    () => tgz(rawEntry({ name: 'package/README.md', data: Buffer.from([0xff, 0xfe]) })),
  ],
];

function withExtra(bytes: Buffer): Buffer {
  const extra = Buffer.concat([bytes.subarray(0, 10), Buffer.from([2, 0, 1, 1]), bytes.subarray(10)]);
  extra[3] = 4;
  return extra;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}

function base256(): Buffer {
  const entry = Buffer.from(rawEntry({ name: 'package/a' }).subarray(0, 512));
  entry.fill(0, 124, 136);
  entry[124] = 0x80;
  entry.write('        ', 148);
  const sum = entry.reduce((total, byte) => total + byte, 0);
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return entry;
}

describe('indexPackage', () => {
  for (const [name, check, bytes] of cases) {
    it(`${name}: ${check}`, async () => assert.equal(await checkOf(bytes()), check));
  }

  it('judges the same whatever the chunks', async () => {
    for (const [, check, bytes] of cases.slice(0, 25)) {
      const result = await indexPackage(chunks(bytes(), 7));
      assert.equal('index' in result ? 'accepted' : result.findings[0]?.check, check);
    }
  });

  it('refuses 300 MiB of zeros after reading little', async () => {
    const bomb = gzipSync(
      Buffer.concat([rawEntry({ name: 'package/a', data: Buffer.alloc(9 << 20) }), Buffer.alloc(64 << 20)]),
    );
    const result = await indexPackage(chunks(bomb));
    assert.ok('findings' in result);
    assert.equal(result.findings[0]?.check, 'archive-too-large');
  });

  it('refuses a file, a total and a packed size above the limit', async () => {
    const limits = { ...PACKAGE_LIMITS, fileBytes: 100, unpackedBytes: 150 };
    const small = [1, 2].map((i) => rawEntry({ name: `package/${i}`, data: Buffer.alloc(90) }));
    const total = await indexPackage(chunks(tgz(...small)), limits);
    assert.ok('findings' in total && /150/.test(total.findings[0]?.message ?? ''));
    assert.match(total.findings[0]?.evidence ?? '', /largest files so far: "1" 90 bytes/);
    const file = await indexPackage(chunks(tgz(rawEntry({ name: 'package/a', data: Buffer.alloc(101) }))), limits);
    assert.ok('findings' in file && file.findings[0]?.check === 'archive-too-large');
    const bytes = await indexPackage(chunks(packed), { ...limits, packedBytes: 50 });
    assert.ok('findings' in bytes && bytes.findings[0]?.check === 'archive-too-large');
  });

  it('refuses 120,000 empty entries and names the full folder', async () => {
    const entries = Array.from({ length: 120_000 }, (_, i) => rawEntry({ name: `package/d/${i}` }));
    // The ratio would refuse it as well; this is about the number.
    const result = await indexPackage(chunks(tgz(...entries)), { ...PACKAGE_LIMITS, ratio: 1e9 });
    assert.ok('findings' in result);
    assert.equal(result.findings[0]?.check, 'archive-too-many-entries');
    assert.match(result.findings[0]?.evidence ?? '', /"d" holds 5000/);
  });

  it('indexes offsets, digests and texts', async () => {
    const result = await indexPackage(chunks(tgz(plain, rawEntry({ name: 'package/README.md', data: 'Grüße' })), 100));
    assert.ok('index' in result);
    const [first] = result.index.entries;
    assert.deepEqual(first, {
      path: 'a.txt',
      kind: 'file',
      mode: 0o644,
      size: 5,
      offset: 512,
      sha256: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    });
    assert.equal(result.index.texts.get('README.md'), 'Grüße');
    assert.equal(result.index.unpackedBytes, 12);
  });

  it('passes on an error of the source', async () => {
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield packed.subarray(0, 30);
      throw new Error('the connection broke');
    }
    await assert.rejects(indexPackage(broken()), /the connection broke/);
  });
});

describe('iterateTarGz', () => {
  it('gives files in order, also when the consumer stops half way through one', async () => {
    const bytes = writePackage([
      { path: 'a', bytes: Buffer.alloc(200_000, 1) },
      { path: 'b', bytes: Buffer.from('b') },
    ]);
    const seen: [string, number][] = [];
    for await (const entry of iterateTarGz(chunks(bytes, 1000))) {
      let size = 0;
      for await (const part of entry.stream) {
        size += part.length;
        if (entry.path === 'package/a') break;
      }
      seen.push([entry.path, size]);
    }
    assert.equal(seen.length, 2);
    assert.ok((seen[0]?.[1] ?? 0) < 200_000);
    assert.deepEqual(seen[1], ['package/b', 1]);
  });

  it('throws at an anomaly but takes world-writable files of other systems', async () => {
    const bytes = tgz(rawEntry({ name: 'a', mode: 0o777 }), rawEntry({ name: '../b' }));
    const seen: string[] = [];
    await assert.rejects(async () => {
      for await (const entry of iterateTarGz(chunks(bytes))) seen.push(entry.path);
    }, ArchiveFault);
    assert.deepEqual(seen, ['a']);
  });
});
